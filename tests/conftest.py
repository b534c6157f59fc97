"""The order of the suite and its event loops.

Files that take longest begin first, so that no worker is left alone with one at the end. Workers take whole files
(`--dist loadfile`): what a file prepares once for all of its tests is then prepared once.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from analysis.workers import cores
from tests.virtual_time import loop_between_sockets

# Where compiled modules may not be kept, every worker compiles all tests, and each of some hundred commands that the
# tests start compiles the program: a fifth of its start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says something about the machine only.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

TESTS = Path(__file__).parent

# By the processor time they take, measured one by one; the others take their turn in the usual order.
LONGEST = (
    "test_kills.py",
    "test_runbooks.py",
    "replay/test_cli.py",
    "harness/test_demo.py",
    "dashboard/test_app.py",
    "harness/nightly/test_cli.py",
    "test_security_gate.py",
    "test_hand_made_verdicts.py",
    "test_secrets.py",
    "test_security_limits.py",
    "test_overspend.py",
    "test_capture_fuzz.py",
)

# Client and server share a loop here, and its time is virtual: where a busy machine holds both up, neither is late.
BETWEEN_SOCKETS = (
    "harness/emulators/test_fault_wire.py",
    "harness/emulators/test_modal.py",
    "harness/emulators/test_modal_holding.py",
    "harness/emulators/test_qwen_service.py",
    "harness/emulators/test_sites.py",
    "harness/providers",
    "test_faults_modal.py",
    "test_faults_qwen.py",
    "test_faults_tls.py",
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


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that a test runs on."""
    if any(item.path.is_relative_to(TESTS / place) for place in BETWEEN_SOCKETS):
        return {"virtual": loop_between_sockets}
    return {"real": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def main_stays_main() -> Iterator[None]:
    """Streamlit's AppTest leaves its page as `__main__`, which every process started later would import first."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
