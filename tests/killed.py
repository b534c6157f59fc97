"""A process that is killed at a moment of the test's choice."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

__all__ = ["kill_when"]

_LOOK_EVERY_S = 0.01  # looking all the time would take a core from the process that is waited for


def kill_when(
    process: "subprocess.Popen[Any]", is_so: Callable[[], bool], *, number: signal.Signals = signal.SIGKILL
) -> None:
    """Send the signal, kill -9 unless told otherwise, as soon as something is so; the process must live until then."""
    while not is_so():
        assert process.poll() is None, f"it ended before it could be killed: {process.communicate()}"
        time.sleep(_LOOK_EVERY_S)
    process.send_signal(number)
    process.communicate()
