"""Processes that we start and must not outlive us."""

import ctypes
import signal
import sys
from typing import Final

__all__ = ["END_WITH_PARENT"]


def _end_with_parent() -> None:
    """Ask Linux to kill this process when its parent is gone."""
    parent_death_signal = 1  # PR_SET_PDEATHSIG in <sys/prctl.h>
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)


# For `subprocess.Popen(preexec_fn=…)`: the child ends with us, even when we are killed outright. Only Linux can do it.
END_WITH_PARENT: Final = _end_with_parent if sys.platform == "linux" else None
