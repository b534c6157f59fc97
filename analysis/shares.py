"""Gates on how many requests are bad: by outcome, by time, by what their audio is like.

Every one of them turns pairs into counts and asks the exact engine.
"""

import math
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from analysis import proofs
from analysis.estimates import Tail
from analysis.findings import Evaluated, conclude, unjudged
from analysis.floor import floor_of
from analysis.gates import TIMINGS, Condition, Gate, PairedAny, PairedBinary, PairedTail
from analysis.load import load_fault
from analysis.marks import Conditions, condition_marks, control_p95_s, frozen_reference_s, is_about_time, is_relative
from analysis.pairs import OUTCOME_CLASSES, count_pairs, ended_as, timed, unmeasured
from analysis.scene import Scene
from analysis.units import amount, count
from harness.judgement import Outcome

__all__ = ["fewest_for", "judge_conditions", "judge_outcomes", "judge_tail"]

_COUNTED: Final = {"errors": "failures", "timeouts": "timeouts", "refusals": "refusals", "rate_limited": "rate limits"}


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
    times = scene.times(gate.feature)
    pairs = int(times.control.size)
    counts = {"pairs": pairs, "left_out": scene.pairs.height - pairs}
    problem = _not_measured(name, gate, scene, gate.feature, timed("control", "candidate"))
    problem = problem or _slowed_by_us(name, gate, scene)
    if problem is not None:
        return problem
    fewest = fewest_for(gate.quantile)
    if pairs < fewest:
        needs = proofs.more_pairs(fewest - pairs, fewest - pairs)
        why = f"not judged on {count(pairs, 'pair')}; {needs.text}"
        return unjudged(
            name, gate, scene.operation, outcome=Outcome.INCONCLUSIVE, why=why, counts=counts, forecast=needs
        )
    reference_s = frozen_reference_s(scene.earliest, gate.feature, gate.quantile)
    tail = Tail(times.control, times.candidate, gate.quantile, reference_s=reference_s)
    claims = [proofs.prove_tail(tail, gate.quantile, gate.ratio_max, scene.bar)]
    if gate.abs_max_s is not None:
        too_slow = int(np.count_nonzero(times.candidate > gate.abs_max_s))
        share_pct = 100.0 * (1.0 - gate.quantile)
        what = f"of the candidate's calls take longer than {amount(gate.abs_max_s, 's')}"
        claims.append(proofs.prove_share(too_slow, tail.pairs, share_pct, scene.bar, what=what))
    return conclude(name, gate, scene, claims, gate.feature, tail.counts(gate.ratio_max)._asdict() | counts)


def fewest_for(quantile: float) -> int:
    """Pairs below which a quantile is not judged: 400 for a p99 (verdicts.md 2.3 C), 80 for a p95."""
    return math.ceil(4.0 / (1.0 - quantile) - 1e-9)


def judge_conditions(name: str, gate: Conditions, scene: Scene) -> Evaluated:
    """How often a feature is beyond its limit, among pairs timed or heard on both sides.

    A band, which measures the candidate by control, is judged against control's repeat where enough captures have one.
    """
    p95_s = control_p95_s(gate, scene.earliest) if is_about_time(gate) else None
    marks = condition_marks(gate, p95_s)
    feature = gate.conditions[0].feature
    problem = _not_measured(name, gate, scene, feature, marks.among)
    problem = problem or _slowed_by_us(name, gate, scene)
    if problem is not None:
        return problem
    counts = scene.flags(gate, marks).counts
    floor = floor_of(gate, scene, p95_s)
    shown = {
        "left_out": scene.pairs.height - counts.pairs,
        "noise_pairs": floor.noise.pairs,  # control against itself: what no candidate can be better than
        "noise_bad": floor.noise.candidate_only,
    }
    if not is_relative(gate):
        proof = proofs.prove_paired(counts, gate.margin_pp, scene.bar)
        return conclude(name, gate, scene, [proof], _describe(gate, p95_s), counts._asdict() | shown)
    if floor.is_known:
        proof = proofs.prove_paired(floor.triples, gate.margin_pp, scene.bar, against="repeat")
        shown["left_out"] = scene.pairs.height - floor.triples.pairs
        return conclude(name, gate, scene, [proof], _describe(gate, p95_s), floor.triples._asdict() | shown)
    refusal = floor.refusal(gate.margin_pp, scene.bar)
    if refusal is not None:
        counts_shown = counts._asdict() | shown
        return unjudged(name, gate, scene.operation, outcome=Outcome.INVALID, why=refusal, counts=counts_shown)
    proof = proofs.prove_paired(counts, gate.margin_pp, scene.bar)
    words = f"{proof.words}; control's own noise not taken off, {floor.triples.pairs:,} of {floor.needed:,} repeats"
    return conclude(name, gate, scene, [replace(proof, words=words)], _describe(gate, p95_s), counts._asdict() | shown)


def _describe(gate: Conditions, p95_s: float | None) -> str:
    """What counts as bad, for the reason."""
    conditions = " or ".join(_condition_words(condition, p95_s) for condition in gate.conditions)
    return f"no usable audio or {conditions}:" if isinstance(gate, PairedAny) else conditions


def _condition_words(condition: Condition, p95_s: float | None) -> str:
    feature = condition.feature
    if condition.above is not None:
        return f"{feature} above {condition.above:g}"
    if condition.below is not None:
        return f"{feature} below {condition.below:g}"
    if condition.limit_of_control_p95 is not None:
        limit_s = None if p95_s is None else condition.limit_of_control_p95 * p95_s
        return f"{feature} above {amount(limit_s, 's')} ({condition.limit_of_control_p95:g} times control's p95)"
    return f"{feature} outside {condition.ratio_low:g} to {condition.ratio_high:g} of control's"


def _not_measured(name: str, gate: Gate, scene: Scene, feature: str, among: pl.Expr) -> Evaluated | None:
    """Invalid when we failed to measure too much: equal gaps in both lanes would look like equal quality."""
    missing = unmeasured("candidate", feature) | unmeasured("control", feature)
    pairs, gaps = (int(number) for number in scene.pairs.select(among.sum(), gaps=(among & missing).sum()).row(0))
    if gaps <= scene.unmeasured_max * pairs:
        return None
    what = f"{feature} is missing" if feature in TIMINGS else "audio is not measured yet (`cutover extract` does)"
    why = f"in {gaps:,} of {count(pairs, 'pair')} {what}"
    counts = {"pairs": pairs, "unmeasured": gaps}
    return unjudged(name, gate, scene.operation, outcome=Outcome.INVALID, why=why, counts=counts)


def _slowed_by_us(name: str, gate: Gate, scene: Scene) -> Evaluated | None:
    """Open when the gate looks at time that our own limiter decided, so that it says nothing of a provider."""
    why = load_fault(gate, scene)
    if why is None:
        return None
    counts = {"pairs": scene.pairs.height}
    return unjudged(name, gate, scene.operation, outcome=Outcome.INCONCLUSIVE, why=why, counts=counts)
