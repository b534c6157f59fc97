"""What sealed runs say about one operation: the last verdict of an epoch, how many pairs, how complete, how noisy."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from harness.errors import StoreError
from harness.judgement import Decision, Finding, Interval, Outcome, Verdict
from harness.speech import Operation
from harness.store.database import open_db
from harness.store.runs import Run

__all__ = ["Judged", "judged_runs", "noise_is_healthy", "pairs_of"]

_VERDICT: Final = """
SELECT run.kind, v.decision, v.reason, v.judged_at, v.evidence_epoch, run.run_id
FROM verdicts v, run WHERE v.operation = ? ORDER BY v.judged_at DESC LIMIT 1
"""
_GATES: Final = """
SELECT gate, outcome, blocking, estimate, low, high, limit_value, unit, reason, segment
FROM gates WHERE operation = ?
"""
_PAIRS: Final = """
SELECT capture_id, bool_or(control_outcome = 'ok' AND candidate_outcome = 'ok')
FROM pairs WHERE operation = ? GROUP BY capture_id
"""
# Legacy against itself: how long both say the same text, and how often only one of them could.
_NOISE: Final = """
SELECT count(*), median(repeat_duration_s / control_duration_s),
       count(*) FILTER ((control_outcome = 'ok') <> (repeat_outcome = 'ok'))
FROM noise_pairs WHERE operation = ?
"""
MIN_NOISE_PAIRS: Final = 30
MAX_DRIFT: Final = 0.10  # of the median duration
MAX_DISCORDANT: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict and where it came from."""

    run: Run
    verdict: Verdict
    epoch: str
    judged_at: datetime


def judged_runs(runs: Iterable[Run], operation: Operation, *, kinds: frozenset[str]) -> list[Judged]:
    """The verdicts on `operation` in runs of these kinds, the latest last.

    Runs that are not sealed, or sealed before there were verdicts, say nothing. Of runs that were judged together only
    the first holds the verdict, so the others are not counted here.
    """
    found = [judged for run in runs if (judged := _judged(run, operation, kinds)) is not None]
    return sorted(found, key=lambda judged: judged.judged_at)


def epochs_of(run: Run) -> set[str]:
    """The evidence epochs that a run's last judgement names; none of a run that is not sealed."""
    if not run.database.is_file():
        return set()
    try:
        with open_db(run.database) as database:
            rows = database.execute("SELECT DISTINCT evidence_epoch FROM verdicts").fetchall()
    except StoreError:
        return set()
    return {epoch for (epoch,) in rows if epoch}


def _judged(run: Run, operation: Operation, kinds: frozenset[str]) -> Judged | None:
    if not run.database.is_file():
        return None
    try:
        with open_db(run.database) as database:
            row = database.execute(_VERDICT, [operation]).fetchone()
            if row is None or row[0] not in kinds:
                return None
            gates = database.execute(_GATES, [operation]).fetchall()
    except StoreError:
        return None
    _, decision, reason, judged_at, epoch, _ = row
    findings = tuple(_finding(operation, gate) for gate in gates)
    verdict = Verdict(operation=operation, decision=Decision(decision), reason=reason, findings=findings)
    return Judged(run=run, verdict=verdict, epoch=epoch, judged_at=judged_at)


def _finding(operation: Operation, row: tuple[Any, ...]) -> Finding:
    gate, outcome, blocking, estimate, low, high, limit, unit, reason, segment = row
    return Finding(
        gate=gate,
        operation=operation,
        outcome=Outcome(outcome),
        blocking=blocking,
        interval=Interval(estimate=estimate, low=low, high=high),
        limit=limit,
        unit=unit,
        counts={},
        reason=reason,
        segment=segment,
    )


def pairs_of(runs: Iterable[Run], operation: Operation) -> tuple[int, int]:
    """Distinct captures that both lanes answered, and distinct captures that both were asked, in all runs together."""
    answered: dict[str, bool] = {}
    for run in runs:
        with open_db(run.database) as database:
            for capture_id, both in database.execute(_PAIRS, [operation]).fetchall():
                answered[capture_id] = answered.get(capture_id, False) or both
    return sum(answered.values()), len(answered)


def noise_is_healthy(runs: Iterable[Run], operation: Operation) -> bool | None:
    """Whether legacy against itself read as it should in the last of these runs that can tell; None when none can.

    Copies have no repeat lane, so it takes a replay with enough noise pairs.
    """
    healthy = None
    for run in runs:
        with open_db(run.database) as database:
            count, ratio, discordant = database.execute(_NOISE, [operation]).fetchone() or (0, None, 0)
        if count >= MIN_NOISE_PAIRS and ratio is not None:
            healthy = bool(abs(ratio - 1.0) <= MAX_DRIFT and discordant / count <= MAX_DISCORDANT)
    return healthy
