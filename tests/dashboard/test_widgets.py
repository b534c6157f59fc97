import re
from datetime import datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.widgets import LATEST, when
from harness.judgement import Decision
from harness.store.journal import Journal
from tests.dashboard.a_run import a_run
from tests.dashboard.conftest import Visit, words

OLD, NEW = "20261122T000000Z-old", "20261123T000000Z-new"


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    a_run(tmp_path, run_id=OLD, captures=1, decision="go")
    a_run(tmp_path, run_id=NEW, captures=1, decision="no-go")
    return tmp_path


def test_the_latest_run_is_shown_unless_another_is_asked_for(visit: Visit, two_runs: Path) -> None:
    app = visit("verdict", home=two_runs)

    assert app.selectbox(key="run").options == [LATEST, NEW, OLD]
    assert NEW in words(app)


def test_what_the_gateway_writes_is_not_the_latest_and_can_still_be_asked_for(visit: Visit, two_runs: Path) -> None:
    live = a_run(two_runs, run_id="20261124T000000Z-live", captures=1, kind="shadow", judged=False)
    live.journal.unlink()
    with Journal(live.journal) as journal:
        journal.append({"type": "plan", "kind": "shadow"})
        journal.sync()

    latest, asked = visit("verdict", home=two_runs), visit("verdict", home=two_runs, run=live.id)

    assert f"· {NEW}" in words(latest)
    assert f"· {live.id}" in words(asked)


def test_the_address_can_pin_a_run(visit: Visit, two_runs: Path) -> None:
    app = visit("verdict", home=two_runs, run=OLD)

    assert app.selectbox(key="run").value == OLD
    assert OLD in words(app)


def test_choosing_a_run_shows_it(visit: Visit, two_runs: Path) -> None:
    app = visit("verdict", home=two_runs)

    app.selectbox(key="run").select(OLD).run()

    assert "GO" in app.title[1].value
    assert "NO-GO" not in app.title[1].value


def test_a_run_that_is_not_here_is_never_replaced_by_another(visit: Visit, two_runs: Path) -> None:
    app = visit("verdict", home=two_runs, run="gone; rm -rf ~")

    assert [code.value for code in app.code] == ["cutover runs list"]
    assert "gone; rm -rf ~" in [text.value for text in app.text]
    assert [title.value for title in app.title] == ["May we cut over?"]


def test_a_run_that_is_not_sealed_says_how_to_seal_it(visit: Visit, two_runs: Path) -> None:
    (two_runs / "runs" / OLD / "run.duckdb").unlink()

    app = visit("verdict", home=two_runs, run=OLD)

    assert [code.value for code in app.code] == [f"cutover runs seal {OLD}"]


@pytest.mark.parametrize("view", ["verdict", "latency", "failures", "pairs"])
def test_without_a_run_every_page_says_how_to_get_one(visit: Visit, tmp_path: Path, view: str) -> None:
    app = visit(view, home=tmp_path)

    assert not app.exception
    assert "make demo" in [code.value for code in app.code]


def test_a_run_that_is_sealed_while_the_page_is_open_appears(visit: Visit, two_runs: Path) -> None:
    app = visit("verdict", home=two_runs)

    a_run(two_runs, run_id="20261124T000000Z-newest", captures=1)
    app.run()

    assert "20261124T000000Z-newest" in words(app)


def test_a_badge_is_colour_icon_and_word() -> None:
    def page() -> None:
        from dashboard.widgets import badge
        from harness.judgement import Decision

        for decision in Decision:
            badge(decision)

    app = AppTest.from_function(page).run()

    for decision, shown in zip(Decision, app.markdown, strict=True):
        assert re.fullmatch(rf":\w+-badge\[:material/\w+: {decision.value.upper()}\]", shown.value)


def test_what_went_wrong_is_told_without_markup() -> None:
    def page() -> None:
        from dashboard.widgets import trouble
        from harness.errors import StoreError

        trouble(StoreError("![x](https://evil.invalid/x) is damaged"))

    app = AppTest.from_function(page).run()

    assert app.text[0].value == "![x](https://evil.invalid/x) is damaged"
    assert "evil" not in app.error[0].value


def test_the_key_names_every_lane() -> None:
    def page() -> None:
        from dashboard.widgets import lane_key

        lane_key()

    app = AppTest.from_function(page).run()

    assert all(word in app.markdown[0].value for word in ("Control (legacy)", "Candidate (Qwen)", "Repeat"))


def test_moments_are_told_in_utc() -> None:
    assert when(datetime(2026, 11, 23, 7, 5)) == "23 Nov 2026, 07:05 UTC"  # noqa: DTZ001 - as DuckDB hands them out
    assert when(None) == "–"
