"""A pytest plugin that keeps only the tests a list names; loaded by name into the run that the gate starts.

Node ids on the command line will not do: one that does not exist ends the whole run, and every other check with it.
Nothing of pytest is imported here, so that the package loads without the dev extra.
"""

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["pytest_addoption", "pytest_collection_modifyitems"]

_OPTION: Final = "--gate-tests"


def pytest_addoption(parser: Any) -> None:
    """Take the path of a JSON list of nodes."""
    parser.addoption(_OPTION, help="JSON list of the only tests to run: file::function, all parameters of each")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Leave out what the list does not name."""
    wanted = frozenset(json.loads(Path(config.getoption(_OPTION)).read_text(encoding="utf-8")))
    kept = [item for item in items if item.nodeid.split("[")[0] in wanted]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
