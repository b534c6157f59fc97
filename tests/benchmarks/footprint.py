"""What a process and all below it hold and spend, as /proc tells; for benches that start one and load it."""

import os
import threading
from pathlib import Path

import numpy as np

__all__ = ["Memory", "cpu_s", "open_sockets", "rss_mb", "tree"]

LOOK_EVERY_S = 1.0


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child_pid in below for each in tree(int(child_pid)))]


def rss_mb(pid: int) -> float:
    """Resident memory of a process and all below it."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_sockets(pid: int) -> tuple[int, int]:
    """Open files of a process and all below it, and how many of them are sockets."""
    targets = []
    for each in tree(pid):
        for entry in Path(f"/proc/{each}/fd").iterdir():
            try:
                targets.append(str(entry.readlink()))
            except OSError:
                continue  # closed while we looked
    return len(targets), sum(target.startswith("socket:") for target in targets)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and all below it."""
    ticks = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Memory(threading.Thread):
    """Looks at a process' memory until it is told to end."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.found_mb: list[float] = []
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.found_mb.append(rss_mb(self._pid))

    def slope_mb_per_minute(self) -> float:
        """By least squares, over the second half: pools and caches fill in the first."""
        self._over.set()
        self.join()
        late = self.found_mb[len(self.found_mb) // 2 :]
        if len(late) < 3:
            return float("nan")
        return float(np.polyfit(np.arange(len(late)) * LOOK_EVERY_S / 60.0, late, 1)[0])
