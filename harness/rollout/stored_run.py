"""The outcomes in a sealed run, in the order its candidate calls ended: traffic to try the rules on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from harness.errors import ErrorKind
from harness.exchanges import OK, Lane
from harness.rollout.listen import AudioFacts, troubles_of
from harness.rollout.outcomes import AudioTrouble, LiveOutcome
from harness.rollout.rules import AudioRules
from harness.speech import Operation
from harness.store.database import open_db

__all__ = ["run_outcomes"]

# A call is slow above the p95 of control in the same operation, as live, where that p95 is frozen beforehand. A caller
# would have failed when both lanes did: legacy is what a failed call falls back to.
_OUTCOMES: Final = """
WITH slow AS (
    SELECT operation, quantile_cont(service_s, 0.95) AS limit_s
    FROM exchanges WHERE lane = 'control' AND outcome = 'ok' GROUP BY operation
)
SELECT epoch(x.sent_at) + x.service_s, x.operation, x.lane, x.outcome, x.service_s > slow.limit_s,
       x.outcome <> 'ok' AND control.outcome <> 'ok', x.cost_usd, coalesce(c.billed_chars, 0),
       f.duration_s, f.peak_db, f.clipped_share, f.outcome
FROM exchanges x
LEFT JOIN slow USING (operation)
LEFT JOIN captures c USING (capture_id)
LEFT JOIN features f USING (audio_sha256)
LEFT JOIN exchanges control
    ON control.lane = 'control' AND control.capture_id = x.capture_id AND control.repetition = x.repetition
WHERE x.lane IN ('control', 'candidate') AND x.sent_at IS NOT NULL AND x.service_s IS NOT NULL
ORDER BY 1, x.capture_id, x.repetition, x.lane
"""


def run_outcomes(database: Path, rules: AudioRules) -> Iterator[LiveOutcome]:
    """The outcomes of a sealed run; audio is judged by its features where it was measured."""
    with open_db(database) as db:
        rows = db.execute(_OUTCOMES).fetchall()
    for row in rows:
        yield _outcome(row, rules)


def _outcome(row: tuple[Any, ...], rules: AudioRules) -> LiveOutcome:
    at_s, operation, lane, outcome, slow, caller_failed, cost_usd, chars, *measured = row
    return LiveOutcome(
        at_s=at_s,
        process="stored",
        operation=Operation(operation),
        lane=Lane(lane),
        kind=None if outcome == OK else ErrorKind(outcome),
        slow=slow if outcome == OK else None,
        caller_failed=caller_failed,
        microusd=None if cost_usd is None else int(cost_usd * 1_000_000),
        chars=chars,
        troubles=_troubles(measured, chars, rules),
    )


def _troubles(measured: list[Any], chars: int, rules: AudioRules) -> tuple[AudioTrouble, ...] | None:
    """What is wrong by the measured features; None where there are none."""
    duration_s, peak_db, clipped_share, outcome = measured
    if outcome is None:
        return None
    if outcome == ErrorKind.EMPTY_AUDIO:
        return (AudioTrouble.EMPTY,)
    if None in (duration_s, peak_db, clipped_share):
        return None
    facts = AudioFacts(duration_s=duration_s, peak_db=peak_db, clipped_share=clipped_share)
    return troubles_of(facts, chars=chars, rules=rules)
