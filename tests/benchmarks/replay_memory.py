"""How much memory a replay takes of a million captures: to read, sort and plan them, and to send them.

`python -m tests.benchmarks.replay_memory [CAPTURES] [LIVE]` (default 1,000,000 and 4,000) writes a capture file, plans
it in a process of its own at a tenth and at the whole of its length, and prints the peaks beside a reader that only
unpacks lines. Then it sends LIVE captures, and half as many, to scripted providers in virtual time and prints what one
more capture costs. Goals (performance.md): 40 MB for reader and schedule, and 5 MB more from 100,000 to 1,000,000.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import zstandard

from harness.capture import capture_to_json
from harness.config import PROJECT
from harness.exchanges import Capture
from tests.builders import NOON, a_capture, a_request

GOAL_MB, GOAL_GROWTH_MB = 40.0, 5.0
OPTIONS = {"limit": None, "seed": 1, "repeat_share": 0.25, "repetitions": 1, "labels": {}}


def captures(count: int) -> Iterator[Capture]:
    """Captures of ordinary length, no two alike, some of them out of order."""
    for number in range(count):
        text = f"Your parcel number {number} arrives tomorrow between ten and twelve, please be at home."
        late = timedelta(seconds=number * 0.1 - (30.0 if number % 50 == 0 else 0.0))
        yield a_capture(f"capture-{number:08}", captured_at=NOON + late, request=a_request(text))


def write(path: Path, count: int) -> None:
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as packed:
        for capture in captures(count):
            packed.write(capture_to_json(capture).encode() + b"\n")


def lines(path: Path) -> None:
    """The floor: unpack and look at nothing."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as unpacked:
        while unpacked.read(65_536):
            pass


def plan(path: Path) -> None:
    """Everything a dry run does."""
    from harness.clock import SystemClock
    from harness.config import ModalSettings, QwenSettings, Settings
    from replay.session import open_session
    from replay.summary import plan_text

    async def dry_run() -> None:
        settings = Settings(
            home=path.parent / "home",
            allow_hosts=frozenset({"127.0.0.1:9"}),
            qwen=QwenSettings(base_url="http://127.0.0.1:9", api_key="sk-test"),  # type: ignore[arg-type]  # made secret
            modal=ModalSettings(base_url="http://127.0.0.1:9"),
        )
        async with open_session(settings, path, clock=SystemClock(), **OPTIONS) as opened:  # type: ignore[arg-type]  # by name
            plan_text(opened)

    asyncio.run(dry_run())


def live(path: Path, count: int) -> None:
    """The whole of a run, with scripted providers in virtual time."""
    from harness.exchanges import Lane
    from tests.live_runs import live_run
    from tests.scripted import ScriptedProvider
    from tests.virtual_time import VirtualClock, run_in_virtual_time

    clock = VirtualClock()
    providers = {
        lane: ScriptedProvider(name, clock=clock) for lane, name in ((Lane.CONTROL, "modal"), (Lane.CANDIDATE, "qwen"))
    }
    run_in_virtual_time(live_run(path.parent / f"live-{count}", captures(count), providers, clock=clock))


def peak_mb(what: str, path: Path, count: int = 0) -> tuple[float, float]:
    """Peak memory of a process that does it, above that of one that only loads the same modules; and its seconds."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "tests.benchmarks.replay_memory", "--child", what, str(path), str(count)]
    found = subprocess.run(command, cwd=PROJECT, env=clean(), capture_output=True, text=True, check=True)
    loaded, peak = json.loads(found.stdout.splitlines()[-1])
    return (peak - loaded) / 1e6, time.monotonic() - began_s


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}


def child(what: str, path: Path, count: int) -> None:
    import replay.session
    import replay.summary  # noqa: F401 - what is loaded is no captures

    warm = path.parent / "warm.jsonl.zst"
    if what == "plan":
        plan(warm)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    match what:
        case "lines":
            lines(path)
        case "plan":
            plan(path)
        case "live":
            live(path, count)
    print(json.dumps([loaded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return 0
    count, sent = (int(value) for value in (*sys.argv[1:], *("1000000", "4000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "warm.jsonl.zst", 10)
        peaks = []
        for part in (count // 10, count):
            path = Path(folder) / f"{part}.jsonl.zst"
            write(path, part)
            for what in ("lines", "plan"):
                megabytes, seconds = peak_mb(what, path)
                print(f"{part:9,} captures, {what:5}: {megabytes:7.1f} MB above what is loaded, {seconds:6.0f} s")
            peaks.append(megabytes)
            path.unlink()
        kept = peaks[1] <= GOAL_MB and peaks[1] - peaks[0] <= GOAL_GROWTH_MB
        print(
            f"plan: {peaks[1]:.1f} MB (goal {GOAL_MB:g}), {peaks[1] - peaks[0]:+.1f} MB from a tenth "
            f"(goal {GOAL_GROWTH_MB:g}): {'kept' if kept else 'missed'}"
        )
        few, many = (peak_mb("live", Path(folder) / "x", part)[0] for part in (sent // 2, sent))
        print(
            f"live: {many:.1f} MB for {sent:,} captures, {(many - few) / (sent - sent // 2) * 1e3:.1f} kB for one more"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
