"""Kill a process that changes the rollout as fast as it can, again and again, and read what it left."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.clock import SystemClock
from harness.errors import StoreError
from harness.rollout.state_codec import unpack
from harness.rollout.state_file import StateFile
from harness.rollout.transitions import start
from harness.speech import Operation
from tests.builders import NOON

# Says one line once it writes, and never stops by itself.
_WRITER = """
import asyncio, os, sys
from dataclasses import replace
from pathlib import Path
from harness.clock import SystemClock
from harness.rollout.state_file import StateFile
from harness.speech import Operation

async def main():
    state, count = StateFile(Path(sys.argv[1]), clock=SystemClock(), wait_s=60.0), 0
    while True:
        count += 1
        reason = f"{os.getpid()} {count} " + "x" * 2_000
        await state.change(lambda rollout: replace(rollout, reason=reason), operations=tuple(Operation),
                           who="writer", why=f"change {count}")
        if count == 1:
            print("writing", flush=True)

asyncio.run(main())
"""


@dataclass
class Aftermath:
    """What all kills together left."""

    kills: int = 0
    versions: list[int] = field(default_factory=list)  # the state's after each kill
    problems: list[str] = field(default_factory=list)


def killed_while_writing(folder: Path, *, kills: int, seed: int) -> Aftermath:
    """Kill a writer `kills` times, each time at another moment of its work."""
    dice, found = random.Random(seed), Aftermath()
    state = StateFile(folder, clock=SystemClock())
    begin = partial(start, epoch="e1", now=NOON, why="0")
    asyncio.run(state.change(begin, operations=tuple(Operation), who="test", why="begin"))
    for _ in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        writer.stdout.readline()
        time.sleep(dice.uniform(0.0, 0.15))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        found.kills += writer.returncode == -signal.SIGKILL
        _look(state, found)
    return found


def _look(state: StateFile, found: Aftermath) -> None:
    try:
        whole = state.read()
        published = unpack(state.path.read_bytes(), name="state.json")
    except (StoreError, OSError, ValueError) as error:
        found.problems.append(str(error))
        return
    found.versions.append(whole.version)
    if set(whole.of) != set(Operation):
        found.problems.append(f"version {whole.version} lacks an operation")
    if not whole.version - 1 <= published.version <= whole.version:
        found.problems.append(f"version {published.version} is published, the log says {whole.version}")
    if [record["version"] for record in state.history()] != list(range(1, whole.version + 1)):
        found.problems.append(f"the log of version {whole.version} has a gap")
