"""The load drill: whether a replay shows that legacy still carries all callers by itself.

Judges a run that was sent for it; sending it, under a budget and a journal, is the replay's business.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from harness.errors import UsageError
from harness.exchanges import OK
from harness.rollout.evidence import Drill
from harness.rollout.live_figures import figures_of
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.requirements import MIN_FALLBACK
from harness.speech import Operation
from harness.store.database import open_db
from harness.store.runs import Run

__all__ = ["busiest_minute", "judge_load"]

# A repeat is legacy's work like any other. A leg that was never sent loaded nobody.
_CALLS: Final = """
SELECT epoch(sent_at), outcome, service_s FROM exchanges
WHERE lane IN ('control', 'repeat') AND sent_at IS NOT NULL ORDER BY sent_at
"""
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


def busiest_minute(outcomes: Iterable[LiveOutcome]) -> int:
    """The most callers that came within one minute, all operations together; 0 where none are known."""
    kept = list(outcomes)
    minutes: Counter[int] = Counter()
    for operation in Operation:
        minutes.update(figures_of(kept, operation, since=_LONG_AGO).minutes)
    return max(minutes.values(), default=0)


def judge_load(run: Run, *, per_minute: int) -> Drill:
    """The drill that a sealed run is, of the moment it ended.

    Args:
        run: A replay with legacy in its lanes.
        per_minute: The requests that legacy has to carry in its busiest minute.

    Raises:
        UsageError: It is not sealed, holds no call to legacy, or nothing says what there is to carry.
        StoreError: Its database is damaged.
    """
    if per_minute <= 0:
        raise UsageError(
            "the spool knows no callers, so it cannot say what load legacy must carry; give --per-minute N"
        )
    if not run.database.is_file():
        raise UsageError(f"{run.id}: is not sealed; cutover runs seal {run.id}")
    with open_db(run.database) as database:
        calls = database.execute(_CALLS).fetchall()
    if not calls:
        raise UsageError(f"{run.id}: nothing was sent to legacy; replay the load with --live first")
    minutes = Counter(int(sent_s // 60) for sent_s, _, _ in calls)
    peak, answered = max(minutes.values()), sum(outcome == OK for _, outcome, _ in calls) / len(calls)
    detail = (
        f"{run.id}: {len(calls)} requests to legacy, {peak} in the busiest minute of {per_minute} needed, "
        f"{answered:.2%} answered, p95 {_p95_s(calls):.1f} s"
    )
    return Drill(at=_end(calls), passed=peak >= per_minute and answered >= MIN_FALLBACK, detail=detail)


def _p95_s(calls: list[Any]) -> float:
    took_s = sorted(service_s for _, _, service_s in calls if service_s is not None)
    return took_s[int(0.95 * (len(took_s) - 1))] if took_s else float("nan")


def _end(calls: list[Any]) -> datetime:
    ended_s = max(sent_s + (service_s or 0.0) for sent_s, _, service_s in calls)
    return datetime.fromtimestamp(ended_s, UTC)
