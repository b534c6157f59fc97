"""The outcome of one gate with its reason in words, put together from what its claims came to.

Which pairs a gate looks at is its own module's business; whether they are enough, and which gate decides, the judge's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from analysis.gates import ClusterMean, Gate, PairedBinary, PairedTail, PerVoice, RatioOfTotals
from analysis.intervals import Beside
from analysis.proofs import Proof, more_pairs
from analysis.samples import Shortfall
from analysis.scene import Scene
from harness.judgement import Finding, Forecast, Interval, Outcome
from harness.speech import Operation

__all__ = ["SEVERITY", "Evaluated", "conclude", "unjudged", "withheld"]

SEVERITY: Final = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL, Outcome.INVALID)  # best to worst
_WORDS: Final = {
    Outcome.PASS: "passes",
    Outcome.FAIL: "fails",
    Outcome.INCONCLUSIVE: "is open",
    Outcome.INVALID: "is invalid",
}


class Evaluated(NamedTuple):
    """A finding, and how far a failed one is beyond doubt."""

    finding: Finding
    strength: float = 0.0
    beside: tuple[Beside, ...] = ()  # textbook intervals that the gate had at hand anyway


def conclude(
    name: str, gate: Gate, scene: Scene, claims: Sequence[Proof], what: str, counts: dict[str, int]
) -> Evaluated:
    """The finding of a gate whose claims have been weighed: the worst of them, the most certain of fails.

    Args:
        name: The gate's name.
        gate: Its rule.
        scene: What it was judged on.
        claims: One proof for each limit.
        what: Begins the numbers in words: "failed", "clipped_share above 0.001".
        counts: What the claims rest on.
    """
    failed = [claim for claim in claims if claim.outcome is Outcome.FAIL]
    proof = max(failed, key=lambda claim: claim.strength) if failed else _first_open(claims)
    needs = f"; {proof.forecast.text}" if proof.forecast else ""
    finding = Finding(
        gate=name,
        operation=scene.operation,
        outcome=proof.outcome,
        blocking=gate.blocking,
        interval=proof.interval,
        limit=proof.limit,
        unit=proof.unit,
        counts=counts,
        reason=f"{name} {_WORDS[proof.outcome]}: {what} {proof.words}{needs}",
        forecast=proof.forecast,
    )
    return Evaluated(finding, proof.strength)


def _first_open(claims: Sequence[Proof]) -> Proof:
    return next((claim for claim in claims if claim.outcome is not Outcome.PASS), claims[0])


def unjudged(
    name: str,
    gate: Gate,
    operation: Operation,
    *,
    outcome: Outcome,
    why: str,
    counts: dict[str, int],
    forecast: Forecast | None = None,
) -> Evaluated:
    """The finding of a gate for which no number could be had."""
    finding = Finding(
        gate=name,
        operation=operation,
        outcome=outcome,
        blocking=gate.blocking,
        interval=Interval(estimate=None, low=None, high=None),
        limit=None,
        unit=_unit(gate),
        counts=counts,
        reason=f"{name} {_WORDS[outcome]}: {why}",
        forecast=forecast,
    )
    return Evaluated(finding)


def withheld(evaluated: Evaluated, lacking: Shortfall) -> Evaluated:
    """The same finding with its pass withheld because the sample lacks something; a proven fail stands."""
    finding = evaluated.finding
    if finding.outcome not in (Outcome.PASS, Outcome.INCONCLUSIVE):
        return evaluated
    needed = _the_longer(finding.forecast, lacking)
    return evaluated._replace(
        finding=replace(
            finding,
            outcome=Outcome.INCONCLUSIVE,
            forecast=needed,
            reason=f"{finding.gate} {_WORDS[Outcome.INCONCLUSIVE]}: {lacking.why}; {needed.text}",
        )
    )


def _the_longer(own: Forecast | None, lacking: Shortfall) -> Forecast:
    """What the gate needs itself or what the sample lacks, whichever is more pairs, and all else that it lacks."""
    pairs = more_pairs(lacking.pairs, lacking.pairs) if lacking.pairs else None
    if own is not None and (own.pairs_high is None or own.pairs_high > lacking.pairs):
        pairs = own
    if pairs is None:
        pairs = Forecast(pairs_low=0, pairs_high=0, text=f"needs {lacking.further}")
    elif lacking.further:
        pairs = replace(pairs, text=f"{pairs.text} and {lacking.further}")
    return replace(pairs, nights_low=lacking.days) if lacking.days else pairs


def _unit(gate: Gate) -> str:
    match gate:
        case PairedTail():
            return "ratio"
        case RatioOfTotals():
            return "ratio" if gate.ratio_max is not None else gate.unit
        case PerVoice():
            return "voices"
        case ClusterMean():
            return "value"
        case PairedBinary(margin_pp=None):
            return "pct"
    return "pp"
