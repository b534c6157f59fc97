"""Functions that real measuring workers run in tests; apart from `hazards`, since they load all it needs."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from analysis.measuring import measure_blob


def measure_or_crash(job: tuple[str, str, str]) -> dict[str, Any]:
    """Measure as a worker does, but crash over audio that holds the words."""
    root, sha256, extension = job
    path = Path(root) / sha256[:2] / f"{sha256}.{extension}"
    if path.exists() and b"crash the decoder" in path.read_bytes():
        os.kill(os.getpid(), signal.SIGSEGV)
    return measure_blob(job)


def threads_of_a_product(size: int) -> int:
    """How many threads this process has after multiplying two large matrices."""
    matrix = np.ones((size, size))
    assert (matrix @ matrix)[0, 0] == size
    return sum(1 for _ in Path("/proc/self/task").iterdir())
