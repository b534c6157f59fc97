"""Rehearsals as they were: a checksummed line for each, since a promotion rests on them."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from harness.clock import Clock
from harness.rollout.evidence import Drill
from harness.store.journal import Journal, read_journal

__all__ = ["DrillBook", "DrillKind"]


class DrillKind(StrEnum):
    """What was rehearsed."""

    ROLLBACK = "rollback"  # the kill switch was thrown
    LOAD = "load"  # legacy took the whole load


class DrillBook:
    """The drills in one file, which is made by the first."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def add(self, kind: DrillKind, drill: Drill, *, who: str) -> None:
        """Write a drill down, whatever came of it. Raises StoreError when that cannot be done."""
        with Journal(self._path, clock=self._clock) as journal:
            at = drill.at.isoformat()
            journal.append({"kind": kind, "at": at, "passed": drill.passed, "detail": drill.detail, "who": who})
            journal.sync()

    def last(self, kind: DrillKind) -> Drill | None:
        """The latest drill of this kind, passed or not; None when there was none. Raises StoreError when damaged."""
        if not self._path.exists():
            return None
        for record in reversed(read_journal(self._path).records):
            if record["kind"] == kind:
                at = datetime.fromisoformat(record["at"])
                return Drill(at=at, passed=record["passed"], detail=record["detail"])
        return None
