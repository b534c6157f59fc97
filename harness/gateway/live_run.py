"""A run of live exchanges: a journal as a replay's, written while callers come, closed after a day or when it is full.

Each process has runs of its own, since a journal has one writer. A run that a kill left open is balanced at the next
start: what was sent counts at its worst, what was not was cancelled.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from harness.clock import Clock
from harness.errors import ErrorKind, HarnessError, StoreError
from harness.exchanges import Capture, Leg
from harness.gateway.copies import RunKind
from harness.store.balance import Balance
from harness.store.journal import Journal, JournalFile, Record
from harness.store.ledger import Ledger
from harness.store.logbook import Logbook
from harness.store.rows import capture_row
from harness.store.runs import Run

__all__ = ["LiveRun", "balance_runs", "lost_row", "spent_today"]

log = logging.getLogger(__name__)

MAX_CAPTURES: Final = 10_000  # a journal this long is read in a second or two
_LOST_BY: Final = {
    ErrorKind.UNKNOWN_OUTCOME: "the gateway was killed meanwhile",
    ErrorKind.UNSUPPORTED: "not sent: the provider may not get the voice, or nobody has made it there yet",
    ErrorKind.INTERNAL: "our own fault",
}
_OPEN: Final = "live.open"  # marks a run whose process has not closed it


class LiveRun:
    """One journal being written. Close it once nothing of it is under way."""

    def __init__(self, home: Path, *, kind: RunKind, plan: Mapping[str, Any], clock: Clock) -> None:
        """Begin a run.

        Args:
            home: What `CUTOVER_HOME` names.
            kind: `shadow` or `canary`.
            plan: What it is about: providers, models, prices, epochs; JSON values.
            clock: Stamps.

        Raises:
            StoreError: It cannot be written.
        """
        self._clock = clock
        self.began_at = clock.now()
        self.captures = self.under_way = 0
        self.open_legs: set[str] = set()  # that still need a result
        self._failed = False
        identity = {"capture_sha256": "", "seed": 0, "live": True, "process": os.getpid(), **plan}
        text = json.dumps([kind, self.began_at.isoformat(), identity], sort_keys=True, separators=(",", ":"))
        plan_sha256 = sha256(text.encode()).hexdigest()
        stamp = f"{self.began_at:%Y%m%dT%H%M%S.%f}"[:-3].replace(".", "")
        self.run = Run(home / "runs" / f"{stamp}-{plan_sha256[:6]}")
        try:
            self._journal = Journal(self.run.journal, clock=clock)
            (self.run.path / _OPEN).touch()
        except OSError as error:
            raise StoreError(f"{self.run.path}: {error.strerror}; live exchanges are not kept") from None
        self.write(
            {
                "type": "plan",
                "run_id": self.run.id,
                "kind": kind,
                "started_at": self.began_at.isoformat(),
                "code_version": version("voice-cutover"),
                "plan_sha256": plan_sha256,
                "plan": identity,
            }
        )
        self._journal.sync()

    def is_over(self, now: datetime) -> bool:
        """Whether the next exchange belongs to another run: a new day, or this one is full."""
        return self.captures >= MAX_CAPTURES or now.date() != self.began_at.date()

    def add(self, capture: Capture, legs: tuple[Leg, ...]) -> None:
        """Write down one capture and its legs; each must get a result."""
        self.captures += 1
        self.open_legs.update(leg.key for leg in legs)
        rows = [
            {"key": leg.key, "lane": leg.lane, "repetition": leg.repetition, "position": leg.position} for leg in legs
        ]
        self.write({"type": "planned", "capture": capture_row(capture), "legs": rows})

    def write(self, record: Record) -> None:
        """Add a record; it is on disk after the next `commit`."""
        self._journal.append(record)

    def write_result(self, leg: Leg, row: Record) -> None:
        """Add the outcome of a leg."""
        self.open_legs.discard(leg.key)
        self.write({"type": "result", "leg": leg.key, "row": row, "at": self._clock.now().isoformat()})

    async def commit(self) -> None:
        """Wait until everything added is on disk. Raises StoreError when it cannot be."""
        try:
            await self._journal.commit()
        except StoreError:
            self._failed = True
            raise

    def close(self) -> None:
        """End the run; what could not be written is balanced at the next start.

        Raises:
            StoreError: Its last records cannot be written.
        """
        self._journal.close()
        if not self._failed and not self.open_legs:
            (self.run.path / _OPEN).unlink(missing_ok=True)


def _live_runs(home: Path) -> Iterator[Run]:
    for mark in sorted((home / "runs").glob(f"*/{_OPEN}")):
        yield Run(mark.parent)


def balance_runs(home: Path, *, clock: Clock) -> list[str]:
    """Give every leg that a killed process left open its outcome, and return the runs that were closed so.

    Runs that a process still writes are left alone. Reads whole journals: not for the event loop.
    """
    closed = []
    for run in _live_runs(home):
        try:
            with Logbook(run.journal, clock=clock) as book:
                ledger = Ledger.of(JournalFile(run.journal))
                for leg, record in _lost(ledger, clock.now()):
                    book.write({"type": "result", "leg": leg, "row": record, "at": clock.now().isoformat()})
        except HarnessError as error:
            log.info("live run not balanced", extra={"run": run.id, "reason": str(error)})
            continue
        (run.path / _OPEN).unlink(missing_ok=True)
        closed.append(run.id)
    return closed


def _lost(ledger: Ledger, now: datetime) -> Iterator[tuple[str, Record]]:
    unknown = ledger.unknown
    captures = {row["capture_id"]: row for row in ledger.captures}
    for key in ledger.missing:
        capture_id = key.split("/")[0]
        kind = ErrorKind.UNKNOWN_OUTCOME if key in unknown else ErrorKind.CANCELLED
        leg = {"capture_id": capture_id, **ledger.planned[key]}
        yield key, lost_row(leg, captures[capture_id]["operation"], kind, microusd=ledger.cost_of(key), now=now)


def lost_row(leg: Record, operation: str, kind: ErrorKind, *, microusd: int, now: datetime) -> Record:
    """The row of a leg whose answer nobody saw, or that was never sent."""
    sent = kind is ErrorKind.UNKNOWN_OUTCOME
    return {
        "capture_id": leg["capture_id"],
        "repetition": leg["repetition"],
        "lane": leg["lane"],
        "provider": "qwen" if leg["lane"] == "candidate" else "modal",
        "operation": operation,
        "position": leg["position"],
        "outcome": kind.value,
        "detail": _LOST_BY.get(kind, "the gateway ended before it was sent"),
        "attempts": int(sent),
        "due_at": now.isoformat(timespec="microseconds"),
        "redirect_hops": 0,
        "cost_usd": f"{microusd / 1e6:.6f}",
        "cost_basis": "worst case" if sent else "nothing was sent",
        "metadata": {},
    }


def spent_today(home: Path, now: datetime) -> int:
    """What copies cost since midnight, UTC, in micro-dollars, by all processes; reads whole journals."""
    spent = 0
    for journal in (home / "runs").glob(f"{now:%Y%m%d}T*/journal.jsonl"):
        try:
            balance = Balance.of(JournalFile(journal))
        except StoreError:
            continue
        spent += balance.spent_microusd() if balance.plan["plan"].get("live") else 0
    return spent
