"""Gates on how many requests are bad: by outcome, by time, by what their audio is like.

Every one of them turns pairs into counts and asks the exact engine.
"""

import math
from typing import Final

import numpy as np
import polars as pl

from analysis import proofs
from analysis.estimates import Tail, order_statistic
from analysis.findings import Evaluated, Scene, conclude, unjudged
from analysis.gates import TIMINGS, Gate, PairedAny, PairedBand, PairedBinary, PairedExceed, PairedTail
from analysis.pairs import OUTCOME_CLASSES, bad, count_pairs, ended_as, heard, seconds, timed, unmeasured
from analysis.units import amount, count
from harness.judgement import Outcome

__all__ = ["judge_conditions", "judge_outcomes", "judge_tail"]

_COUNTED: Final = {"errors": "failed", "timeouts": "timed out", "refusals": "refused", "rate_limited": "rate-limited"}


def judge_outcomes(name: str, gate: PairedBinary, scene: Scene) -> Evaluated:
    """How often the candidate ends in some outcome, among all answered pairs."""
    kinds = OUTCOME_CLASSES[gate.counts]
    counts = count_pairs(scene.pairs, ended_as("candidate", kinds), ended_as("control", kinds))
    claims = []
    if gate.margin_pp is not None:
        claims.append(proofs.prove_paired(counts, gate.margin_pp, scene.bar))
    if gate.abs_max_pct is not None:
        claims.append(proofs.prove_share(counts.candidate_bad, counts.pairs, gate.abs_max_pct, scene.bar))
    return conclude(name, gate, scene, claims, _COUNTED[gate.counts], counts._asdict())


def judge_tail(name: str, gate: PairedTail, scene: Scene) -> Evaluated:
    """How slow the slow calls are; open on too few pairs to know the quantile."""
    both = scene.pairs.filter(timed("control", "candidate"))
    left_out = {"pairs": both.height, "left_out": scene.pairs.height - both.height}
    problem = _not_measured(name, gate, scene, both, gate.feature)
    if problem is not None:
        return problem
    fewest = math.ceil(4.0 / (1.0 - gate.quantile) - 1e-9)  # p99: 400 (verdicts.md 2.3 C), p95: 80
    if both.height < fewest:
        needs = proofs.more_pairs(fewest - both.height, fewest - both.height)
        why = f"not judged on {count(both.height, 'pair')}; {needs.text}"
        return unjudged(
            name, gate, scene.operation, outcome=Outcome.INCONCLUSIVE, why=why, counts=left_out, forecast=needs
        )
    times = both.select(
        seconds("control", gate.feature).alias("control"), seconds("candidate", gate.feature).alias("candidate")
    )
    candidate_s = times["candidate"].to_numpy()
    tail = Tail(times["control"].to_numpy(), candidate_s, gate.quantile)
    claims = [proofs.prove_tail(tail, gate.quantile, gate.ratio_max, scene.bar)]
    if gate.abs_max_s is not None:
        too_slow = int(np.count_nonzero(candidate_s > gate.abs_max_s))
        share_pct = 100.0 * (1.0 - gate.quantile)
        what = f"of the candidate's calls take longer than {amount(gate.abs_max_s, 's')}"
        claims.append(proofs.prove_share(too_slow, tail.pairs, share_pct, scene.bar, what=what))
    return conclude(name, gate, scene, claims, gate.feature, tail.counts(gate.ratio_max)._asdict() | left_out)


def judge_conditions(name: str, gate: PairedExceed | PairedBand | PairedAny, scene: Scene) -> Evaluated:
    """How often a feature is beyond its limit, among pairs heard (audio) or timed (timings) on both sides."""
    is_timing = gate.conditions[0].feature in TIMINGS
    eligible = timed if is_timing else heard
    both = scene.pairs.filter(eligible("control", "candidate"))
    problem = _not_measured(name, gate, scene, both, gate.conditions[0].feature)
    if problem is not None:
        return problem
    p95_s = None
    if is_timing and both.height:
        p95_s = order_statistic(
            both.select(seconds("control", gate.conditions[0].feature)).to_series().to_numpy(), 0.95
        )
    candidate, control, repeat = (
        pl.any_horizontal(bad(rule, side, against=against, control_p95_s=p95_s) for rule in gate.conditions)
        for side, against in (("candidate", "control"), ("control", None), ("repeat", "control"))
    )
    counts = count_pairs(both, candidate, control)
    noise = count_pairs(scene.noise_pairs.filter(eligible("control", "repeat")), repeat, control)
    shown = counts._asdict() | {
        "left_out": scene.pairs.height - both.height,
        "noise_pairs": noise.pairs,  # control against itself: what no candidate can be better than
        "noise_bad": noise.candidate_only,
    }
    proof = proofs.prove_paired(counts, gate.margin_pp, scene.bar)
    return conclude(name, gate, scene, [proof], _describe(gate, p95_s), shown)


def _describe(gate: PairedExceed | PairedBand | PairedAny, p95_s: float | None) -> str:
    """What counts as bad, for the reason."""
    if isinstance(gate, PairedAny):
        return "silent, undecodable or with " + " or ".join(sorted(gate.features))
    if isinstance(gate, PairedBand):
        return f"{gate.feature} outside {gate.low:g} to {gate.high:g} of control's"
    if gate.limit_of_control_p95 is not None:
        limit_s = None if p95_s is None else gate.limit_of_control_p95 * p95_s
        return f"{gate.feature} above {amount(limit_s, 's')} ({gate.limit_of_control_p95:g} times control's p95)"
    return f"{gate.feature} " + (f"above {gate.above:g}" if gate.above is not None else f"below {gate.below:g}")


def _not_measured(name: str, gate: Gate, scene: Scene, pairs: pl.DataFrame, feature: str) -> Evaluated | None:
    """Invalid when we failed to measure too much: equal gaps in both lanes would look like equal quality."""
    gaps = pairs.filter(unmeasured("candidate", feature) | unmeasured("control", feature)).height
    if gaps <= scene.unmeasured_max * pairs.height:
        return None
    what = f"{feature} is missing" if feature in TIMINGS else "audio is not measured yet (`cutover extract` does)"
    why = f"in {gaps:,} of {count(pairs.height, 'pair')} {what}"
    counts = {"pairs": pairs.height, "unmeasured": gaps}
    return unjudged(name, gate, scene.operation, outcome=Outcome.INVALID, why=why, counts=counts)
