"""What the demo takes: seconds, and the most memory that all its processes held together.

    python -m tests.benchmarks.demo [--scenario S] [--seed N]

Reads /proc every tenth of a second; memory shared by several processes is counted once a process (an upper bound).
"""

import os
import subprocess
import sys
import time
from pathlib import Path


def children_of(pid: int, parents: dict[int, int]) -> set[int]:
    """`pid` and everything below it."""
    found, before = {pid}, 0
    while len(found) != before:
        before = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found


def tree_rss_bytes(pid: int) -> int:
    """Resident memory of a process and all its children."""
    parents, resident = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            pages = int((folder / "statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(folder.name)] = int(fields[1])
        resident[int(folder.name)] = pages * os.sysconf("SC_PAGE_SIZE")
    return sum(resident.get(child, 0) for child in children_of(pid, parents))


def main() -> int:
    command = [sys.executable, "-m", "harness.cli", "demo", "--no-dashboard", *sys.argv[1:]]
    began, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, tree_rss_bytes(process.pid))
            time.sleep(0.1)
    cores = os.cpu_count()
    print(
        f"demo {' '.join(sys.argv[1:]) or 'healthy'}: exit {process.returncode}, "
        f"{time.monotonic() - began:.0f} s on {cores} cores, at most {peak / 1e6:.0f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
