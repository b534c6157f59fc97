"""Which operation to move first and why, and the next step of the rollout that its verdict allows.

docs/policy.md states the same rules for people, with the numbers behind them.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import polars as pl

from analysis.pairs import OUTCOME_CLASSES, ended_as
from analysis.samples import Sample
from analysis.units import amount, count
from harness.errors import ErrorKind
from harness.judgement import Decision, Verdict
from harness.speech import Operation

__all__ = ["ORDER_RULES", "Place", "recommended_order"]

ORDER_RULES: Final = (
    "a go before an open verdict, an open one before a no-go, an invalid one last",
    "the smaller share of requests that the candidate does not serve at all",
    "what is easier to take back: generate, then design, then clone",
    "the shorter wait, where both are open",
)

_DECISIONS: Final = (Decision.GO, Decision.INCONCLUSIVE, Decision.NO_GO, Decision.INVALID)
# What stays behind at the provider when the operation is taken back.
_LEFT_BEHIND: Final[Mapping[Operation, str]] = {
    Operation.GENERATE: "leaves nothing behind when it is taken back",
    Operation.DESIGN: "leaves voices behind that can be designed anew from their words",
    Operation.CLONE: "leaves voices behind that need their recordings and consents to be made anew",
}
_REVERSIBILITY: Final = tuple(_LEFT_BEHIND)
_STEPS: Final[Mapping[Decision, str]] = {
    Decision.GO: "start: shadow to 1 %, once drill, security gate and approval stand beside this verdict",
    Decision.INCONCLUSIVE: "hold: stay at the present share and replay more",
    Decision.NO_GO: "roll back: to 0 % where any traffic is on the candidate, and stay in shadow",
    Decision.INVALID: "hold: stay at the present share and mend the measurement",
}
_NOT_SERVED: Final = (ErrorKind.UNSUPPORTED, *OUTCOME_CLASSES["refusals"])
_GAP_STEP: Final = 0.01  # shares of gaps closer than this are as good as equal


class Place(NamedTuple):
    """One operation's place in the recommended order."""

    operation: Operation
    next_step: str
    why: tuple[str, ...]


def recommended_order(verdicts: Sequence[Verdict], samples: Sequence[Sample]) -> tuple[Place, ...]:
    """The operations that were judged, the one to move first before all others.

    Args:
        verdicts: One for each operation.
        samples: One for each of them, in the same order.
    """
    planned = sum(sample.planned for sample in samples)
    ranked = sorted(zip(verdicts, samples, strict=True), key=lambda each: _rank(*each))
    return tuple(
        Place(sample.operation, _STEPS[verdict.decision], tuple(_reasons(verdict, sample, planned)))
        for verdict, sample in ranked
    )


def _rank(verdict: Verdict, sample: Sample) -> tuple[float, ...]:
    return (
        _DECISIONS.index(verdict.decision),
        _gap_share(sample) // _GAP_STEP,
        _REVERSIBILITY.index(sample.operation),
        _wait(verdict),
    )


def _wait(verdict: Verdict) -> float:
    """More pairs that the slowest blocking gate may need."""
    forecasts = [finding.forecast for finding in verdict.findings if finding.blocking and finding.forecast]
    return max((float("inf") if each.pairs_high is None else each.pairs_high for each in forecasts), default=0.0)


def _gap_share(sample: Sample) -> float:
    """Of the pairs, those whose request the candidate does not serve although control does."""
    pairs = sample.pairs
    if not pairs.height:
        return 0.0
    gaps = pairs.select((ended_as("candidate", _NOT_SERVED) & ~ended_as("control", _NOT_SERVED)).sum()).item()
    return float(gaps) / pairs.height


def _reasons(verdict: Verdict, sample: Sample, planned: int) -> list[str]:
    """Evidence, traffic, gaps, cost, and what taking it back would leave."""
    reasons = [f"{verdict.decision.value} on {count(sample.pairs.height, 'pair')}"]
    if planned:
        reasons.append(f"{100.0 * sample.planned / planned:.0f} % of the captures replayed")
    reasons.append(f"{100.0 * _gap_share(sample):.1f} % of them not served by the candidate alone")
    ours, theirs = (_mean_usd(sample.pairs, side) for side in ("candidate", "control"))
    if ours is not None and theirs is not None:
        reasons.append(f"{amount(ours, 'usd_per_request')} against control's {amount(theirs, 'usd_per_request')}")
    return [*reasons, _LEFT_BEHIND[sample.operation]]


def _mean_usd(pairs: pl.DataFrame, side: str) -> float | None:
    """Of the requests whose price is known, in whole micro-dollars added up so that order never matters."""
    known = pairs[f"{side}_cost_microusd"].drop_nulls()
    return int(known.sum()) / known.len() / 1e6 if known.len() else None
