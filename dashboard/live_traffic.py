"""What the gateway's spool says of the last hours, by the minute; read on as it grows, never twice.

The spool holds outcomes only: neither texts nor callers.
"""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.spool import SpoolReader
from harness.routing.breakers import BreakerChange
from harness.speech import Operation

__all__ = ["COUNTS", "LiveTraffic"]

HOURS: Final = 24
_MINUTE_S: Final = 60
COUNTS: Final = (
    "calls",
    "failed",
    "limited",  # answered 429
    "slow",  # above the frozen p95
    "troubles",  # speech that no listener would accept
    "openings",  # of a breaker
    "callers",  # whom this call was meant for, copies left out
    "lost",  # … who ended without speech
    "saved",  # … whom the other provider answered then
    "microusd",
    "unpriced",
)

_Key = tuple[int, Operation, Lane]  # minute since 1970


class LiveTraffic:
    """Counts of the last day; sessions may share one."""

    def __init__(self, folder: Path, *, now: datetime) -> None:
        """Begin with the file of the day before `now`; older ones are no last hours."""
        first = f"outcomes-{now - timedelta(hours=HOURS):%Y%m%d}.jsonl"
        self._reader = SpoolReader(folder, {first: 0} if (folder / first).exists() else {})
        self._cells: dict[_Key, list[int]] = {}
        self._lock = threading.Lock()

    def frame(self, now: datetime) -> pl.DataFrame:
        """A row for each minute, operation and lane in which anything happened; what is new is read first."""
        oldest = int((now - timedelta(hours=HOURS)).timestamp()) // _MINUTE_S
        with self._lock:
            self._take(self._reader.new())
            self._cells = {key: cell for key, cell in self._cells.items() if key[0] >= oldest}
            rows = [
                (datetime.fromtimestamp(minute * _MINUTE_S, UTC), operation.value, lane.value, *cell)
                for (minute, operation, lane), cell in sorted(self._cells.items())
            ]
        schema: dict[str, pl.DataType] = {
            "minute": pl.Datetime("us", "UTC"),
            "operation": pl.String(),
            "lane": pl.String(),
            **{name: pl.Int64() for name in COUNTS},
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _take(self, outcomes: Iterable[LiveOutcome]) -> None:
        for outcome in outcomes:
            key = (int(outcome.at_s) // _MINUTE_S, outcome.operation, outcome.lane)
            cell = self._cells.setdefault(key, [0] * len(COUNTS))
            for place, value in enumerate(_counts(outcome)):
                cell[place] += value


def _counts(outcome: LiveOutcome) -> tuple[int, ...]:
    failed, meant = outcome.kind is not None, outcome.caller_failed is not None
    return (
        1,
        failed,
        outcome.kind is ErrorKind.RATE_LIMITED,
        bool(outcome.slow),
        bool(outcome.troubles),
        outcome.change is BreakerChange.OPENED,
        meant,
        bool(outcome.caller_failed),
        meant and failed and not outcome.caller_failed,
        outcome.microusd or 0,
        outcome.microusd is None and not failed,
    )
