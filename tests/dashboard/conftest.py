"""What tests of the dashboard share: a home with one run in it, and the app without a server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.config import get_option, set_option
from streamlit.testing.v1 import AppTest

from dashboard.queries import Sealed, sealed_runs
from tests.dashboard.a_run import a_run

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PATIENCE_S = 300.0  # a first start with nothing in memory takes long where all else runs beside it
Visit = Callable[..., AppTest]


@pytest.fixture(scope="session")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds one judged run; nobody writes to it."""
    home = tmp_path_factory.mktemp("home")
    a_run(home)
    return home


@pytest.fixture(scope="session")
def sealed(one_run: Path) -> Sealed:
    return sealed_runs(one_run)[0]


@pytest.fixture
def loopback() -> Iterator[None]:
    """What `cutover dashboard` tells Streamlit, which has no server here."""
    before = get_option("server.address")
    set_option("server.address", "127.0.0.1")
    yield
    set_option("server.address", before)


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch, one_run: Path) -> Visit:
    """Draw one view of the run in `home` without a browser, with what the address says."""

    def draw(view: str, *, home: Path = one_run, **address: str) -> AppTest:
        monkeypatch.setenv("CUTOVER_HOME", str(home))
        script = f"from dashboard.views import {view}\n{view}.draw()"
        app = AppTest.from_string(script, default_timeout=PATIENCE_S)
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return draw


def choose_row(app: AppTest, table: int, row: int) -> None:
    """Click the row of a table."""
    key = app.dataframe[table].key
    app.session_state[key] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    app.run()


def words(app: AppTest) -> str:
    """Everything on the page that is text, one element a line."""
    kinds = (
        app.title,
        app.subheader,
        app.text,
        app.caption,
        app.markdown,
        app.code,
        app.warning,
        app.error,
        app.success,
    )
    return "\n".join(str(element.value) for kind in kinds for element in kind)
