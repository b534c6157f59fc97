"""The order of the suite: files that take longest begin first, so that no worker is left alone with one at the end.

Workers take whole files (`--dist loadfile`): what a file prepares once for all of its tests is then prepared once.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.workers import cores

# Where compiled modules may not be kept, every worker compiles all tests, and each of some hundred commands that the
# tests start compiles the program: a fifth of its start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

TESTS = Path(__file__).parent

# By the processor time they take, measured one by one; the others take their turn in the usual order.
LONGEST = (
    "test_kills.py",
    "test_runbooks.py",
    "harness/test_demo.py",
    "dashboard/test_app.py",
    "harness/nightly/test_cli.py",
    "test_hand_made_verdicts.py",
    "test_capture_fuzz.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors: a third of the suite's time it waits for disks and other processes."""
    return cores() + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Move the longest files to the front, where there are workers to share them."""
    if not hasattr(config, "workerinput"):
        return
    places = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def main_stays_main() -> Iterator[None]:
    """Streamlit's AppTest leaves its page as `__main__`, which every process started later would import first."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
