"""How much memory a replay takes of a million captures: to read, sort and plan them, to send, seal and verify them.

`python -m tests.benchmarks.replay_memory [CAPTURES] [LIVE]` (default 1,000,000 and 60,000) writes a capture file, plans
it in a process of its own at a tenth and at the whole of its length, and prints the peaks beside a reader that only
unpacks lines. Then it sends LIVE captures, and a third as many, to scripted providers in virtual time, seals and
verifies the run, each in a process of its own, and prints what one more capture costs. Fewer than some 20,000 only fill
the caches of pydantic and SQLite, and DuckDB takes up to the memory it is allowed before it writes rows out.

Goals (performance.md): 40 MB for reader and schedule, and 5 MB more from 100,000 to 1,000,000. Of every leg it has to
be known whether it was answered: 64 bytes a capture are allowed for that.
"""

import asyncio
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import zstandard

from harness.capture import capture_to_json
from harness.config import PROJECT
from harness.exchanges import Capture, Exchange
from harness.providers.base import Admission, AudioSink, Deadline
from harness.speech import SpeechRequest
from harness.store.runs import Run
from tests.builders import NOON, a_capture, a_request, an_exchange
from tests.scripted import ScriptedProvider

GOAL_MB, GOAL_GROWTH_MB, GOAL_LIVE_BYTES = 40.0, 5.0, 64
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


def live(home: Path, count: int) -> None:
    """The whole of a run, with providers that remember nothing, in virtual time."""
    from harness.exchanges import Lane
    from tests.live_runs import live_run
    from tests.virtual_time import VirtualClock, run_in_virtual_time

    clock = VirtualClock()
    providers = {
        lane: Forgetful(name, clock=clock, answer=partial(same_audio, name))
        for lane, name in ((Lane.CONTROL, "modal"), (Lane.CANDIDATE, "qwen"))
    }
    run_in_virtual_time(live_run(home, captures(count), providers, clock=clock))


def same_audio(name: str, request: SpeechRequest) -> Exchange:
    """One file a lane: what is measured is memory, not the disk."""
    return an_exchange(provider=name, audio=name.encode(), text=request.text)


class Forgetful(ScriptedProvider):
    """Keeps no list of what it was sent."""

    async def synthesize(
        self, request: SpeechRequest, *, admission: Admission, deadline: Deadline, sink: AudioSink | None = None
    ) -> Exchange:
        exchange = await super().synthesize(request, admission=admission, deadline=deadline, sink=sink)
        self.sent.clear()
        self.sent_at_s.clear()
        return exchange


def sealed(home: Path) -> None:
    """What follows a run: its database, and its summary."""
    from harness.store.seal import seal
    from replay.summary import summary_text

    run = Run(home / "runs" / "r")
    summary_text(run, seal(run))


def verified(home: Path) -> None:
    """`cutover runs verify`."""
    from harness.store.runs import audio_store
    from harness.store.verify import problems

    found = list(problems(Run(home / "runs" / "r"), audio_store(home)))
    assert not found, found[:3]


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
    for module in ("harness.store.verify", "replay.summary", "tests.live_runs"):
        importlib.import_module(module)  # what is loaded is no captures

    if what == "plan":
        plan(path.parent / "warm.jsonl.zst")
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    match what:
        case "lines":
            lines(path)
        case "plan":
            plan(path)
        case "live":
            live(path, count)
        case "seal":
            sealed(path)
        case "verify":
            verified(path)
    print(json.dumps([loaded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return 0
    count, sent = (int(value) for value in (*sys.argv[1:], *("1000000", "60000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        planned(Path(folder), count)
        replayed(Path(folder), sent)
    return 0


def planned(folder: Path, count: int) -> None:
    """Print what reading and planning takes."""
    write(folder / "warm.jsonl.zst", 10)
    peaks = []
    for part in (count // 10, count):
        path = folder / f"{part}.jsonl.zst"
        write(path, part)
        for what in ("lines", "plan"):
            megabytes, seconds = peak_mb(what, path)
            print(f"{part:9,} captures, {what:6}: {megabytes:7.1f} MB above what is loaded, {seconds:6.0f} s")
        peaks.append(megabytes)
        path.unlink()
    kept = peaks[1] <= GOAL_MB and peaks[1] - peaks[0] <= GOAL_GROWTH_MB
    print(
        f"plan: {peaks[1]:.1f} MB (goal {GOAL_MB:g}), {peaks[1] - peaks[0]:+.1f} MB from a tenth "
        f"(goal {GOAL_GROWTH_MB:g}): {'kept' if kept else 'missed'}"
    )


def replayed(folder: Path, sent: int) -> None:
    """Print what sending, sealing and verifying takes."""
    few = sent // 3
    peaks: dict[str, list[float]] = {"live": [], "seal": [], "verify": []}
    for part in (few, sent):
        for what, megabytes_so_far in peaks.items():
            megabytes, seconds = peak_mb(what, folder / f"live-{part}", part)
            print(f"{part:9,} captures, {what:6}: {megabytes:7.1f} MB above what is loaded, {seconds:6.0f} s")
            megabytes_so_far.append(megabytes)
    for what, (less, more) in peaks.items():
        print(f"{what}: {(more - less) / (sent - few) * 1e6:.0f} bytes for one more capture (goal {GOAL_LIVE_BYTES})")


if __name__ == "__main__":
    sys.exit(main())
