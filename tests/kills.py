"""Kill a replay, an extraction and a verdict at random moments, again and again, and see what is left.

Every kill is a real `kill -9` of the real command; afterwards the same command is given again, as a person would.
"""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.config import PROJECT
from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.runs import Run, audio_store, list_runs
from harness.store.verify import problems
from tests.standins import cutover, meter

KILLS_A_COMMAND = 4  # then it is let through, so that the later stages get their share
DEMO = str(PROJECT / "data" / "demo" / "captures.jsonl.zst")


@dataclass
class Aftermath:
    """What all kills together did."""

    kills: Counter[str] = field(default_factory=Counter)  # command → kills while it ran
    lost: int = 0  # answers on record before a kill and not after it
    doubled: int = 0  # paid calls made twice for the same leg
    refused: int = 0  # commands that would not start again
    unbooked: float = 0.0  # characters billed by the stand-in and in no journal
    wrong: list[str] = field(default_factory=list)  # what `runs verify` says at the end

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.refused or self.unbooked or self.wrong)


def kill_again_and_again(
    environment: dict[str, str], *, kills: int, seed: int, captures: int, longest_s: float
) -> Aftermath:
    """Run replay, extract and verdict to their ends, killed `kills` times on the way.

    Args:
        environment: Where the stand-ins are, and a home of its own.
        kills: How often.
        seed: Drives the moments.
        captures: How many are replayed.
        longest_s: A command lives at most this long before it is killed, while kills are left.
    """
    moments, aftermath = random.Random(seed), Aftermath()
    longest = dict.fromkeys(("replay", "extract", "verdict"), longest_s)
    home = Path(environment["CUTOVER_HOME"])
    while sum(aftermath.kills.values()) < kills:
        # A new seed is a new plan, so a run that ended is followed by another one.
        replay = ["replay", DEMO, "--limit", str(captures), "--seed", str(moments.randrange(10**6))]
        confirm = json.loads(cutover([*replay, "--json"], environment).stdout)["confirm"]
        for command in ([*replay, "--live", "--budget", "500", "--confirm", confirm], ["extract"], ["verdict"]):
            _run_through(command, environment, aftermath, kills, moments, longest)
        run = list_runs(home)[-1]
        ledger = _ledger(run)
        # A voice is asked for again when nobody knows whether it was made; whether it was then made twice, the
        # stand-in's bill says below.
        legs = [call for call in ledger.calls.values() if not call["leg"].startswith("voice:")]
        calls = Counter((call["leg"], call["purpose"], call["attempt"]) for call in legs)
        aftermath.doubled += sum(count - 1 for count in calls.values())
        aftermath.wrong += problems(run, audio_store(home))
    wanted = {
        (run.id if not call["leg"].startswith("voice:") else "pool", call["leg"])
        for run in list_runs(home)
        for call in _ledger(run).calls.values()
        if call["provider"] == "qwen" and call["purpose"] in ("clone", "design")
    }
    made = meter(environment, "qwen")["total"].get("voices", 0)
    aftermath.doubled += max(0, int(made) - len(wanted))
    booked = sum(
        call["purpose"] == "speak"
        for run in list_runs(home)
        for call in _ledger(run).calls.values()
        if call["provider"] == "qwen"
    )
    spoken = sum(
        count
        for path, statuses in meter(environment, "qwen")["requests"].items()
        if path.endswith("/generation")
        for count in statuses.values()
    )
    aftermath.unbooked = max(0, spoken - booked)
    return aftermath


def _run_through(
    command: list[str],
    environment: dict[str, str],
    aftermath: Aftermath,
    kills: int,
    moments: random.Random,
    longest: dict[str, float],
) -> None:
    """Give the command again and again until it ends by itself."""
    home = Path(environment["CUTOVER_HOME"])
    here = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        armed = here < KILLS_A_COMMAND and sum(aftermath.kills.values()) < kills
        before = _answers(home)
        began_s = time.monotonic()
        try:
            _, said = process.communicate(timeout=moments.uniform(0.3, longest[command[0]]) if armed else 120)
        except subprocess.TimeoutExpired:
            before = _answers(home)
            process.kill()
            process.communicate()
            here += 1
            aftermath.kills[command[0]] += 1
            aftermath.lost += len(before - _answers(home))
            continue
        if here == 0:  # it was through before its moment came: next time the moment comes earlier
            longest[command[0]] = max(0.3, min(longest[command[0]], 0.9 * (time.monotonic() - began_s)))
        aftermath.lost += len(before - _answers(home))
        if process.returncode not in (0, 1, 3, 4):
            aftermath.refused += 1
            aftermath.wrong.append(said.decode()[-300:])
        return


def _answers(home: Path) -> set[tuple[str, str, str]]:
    """Every answer on record: run, leg, and what was received."""
    return {
        (run.id, key, str(row["audio_sha256"]))
        for run in list_runs(home)
        for key, row in _results(run).items()
        if row["outcome"] == "ok"
    }


def _results(run: Run) -> dict[str, dict[str, object]]:
    return _ledger(run).results


def _ledger(run: Run) -> Ledger:
    """What the journal adds up to; nothing when a kill left half a plan in it."""
    records = read_journal(run.journal).records
    return Ledger.of(records) if records else Ledger()


def timed(environment: dict[str, str], **options: int | float) -> tuple[Aftermath, float]:
    """The aftermath and how many seconds it took."""
    began = time.monotonic()
    return kill_again_and_again(environment, **options), time.monotonic() - began  # type: ignore[arg-type]
