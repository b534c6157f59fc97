"""May we cut over? All gates of all operations, and which of them decides.

A pure function of evidence and thresholds: it reads no clock and no file, and knows nothing of how a verdict is shown.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl

from analysis.descriptive import beside
from analysis.evaluators import evaluate
from analysis.evidence import Evidence, RunFacts
from analysis.faults import failure_of_ours, fault_of, incomplete
from analysis.findings import SEVERITY, Evaluated, unjudged, withheld
from analysis.forecast import Pace, priced
from analysis.gates import Gate, PerVoice
from analysis.intervals import Beside
from analysis.load import counting, held_back, is_paced
from analysis.proofs import Bar
from analysis.samples import Sample, shortfall, take_sample
from analysis.scene import Scene
from analysis.segments import SEGMENT_CLAIMS, Segment, Segmented, judge_segments
from analysis.selftest import SelfTest, self_test
from analysis.thresholds import Thresholds
from analysis.units import count
from analysis.worst import WorstPair, worst_pairs
from harness.judgement import Decision, Outcome, Verdict, decision_of, worst
from harness.speech import Operation

__all__ = ["Details", "Judgement", "judge"]

log = logging.getLogger(__name__)

_NO_SEGMENTS: Final = Segmented((), {})


class Details(NamedTuple):
    """What stands beside the verdict on one operation."""

    self_test: SelfTest
    worst_segments: Mapping[str, Segment]  # of each gate
    worst_pairs: tuple[WorstPair, ...]
    beside: Mapping[str, tuple[Beside, ...]]  # of each gate: what textbooks would say of the same pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict on every operation that was replayed, what it rests on, and by which rules."""

    overall: Verdict  # its findings are those of all operations, the deciding one first
    verdicts: tuple[Verdict, ...]
    samples: tuple[Sample, ...]  # one for each of `verdicts`
    details: tuple[Details, ...]  # likewise
    evidence: Evidence
    thresholds: Thresholds
    epoch: str  # hash of thresholds, models and extractors: evidence of another epoch is not added to it

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs judged together, oldest first."""
        return tuple(run.run_id for run in self.evidence.runs)

    @property
    def as_of(self) -> datetime:
        """The end of the newest run: a judgement is as old as its evidence."""
        return max(run.ended_at for run in self.evidence.runs)


def judge(evidence: Evidence, thresholds: Thresholds) -> Judgement:
    """The verdict on `evidence`, which holds at least one run; `invalid` whatever goes wrong while judging."""
    try:
        return _judge(evidence, thresholds)
    except Exception as error:
        # Elsewhere an error in the judge counted as no data, and no data as a pass (verdicts.md 2.4).
        log.exception("evidence could not be judged", extra={"runs": [run.run_id for run in evidence.runs]})
        verdict = Verdict(operation=None, decision=Decision.INVALID, reason=failure_of_ours(error))
        return Judgement(
            overall=verdict,
            verdicts=(),
            samples=(),
            details=(),
            evidence=evidence,
            thresholds=thresholds,
            epoch=_epoch(evidence.runs, thresholds),
        )


class _Prepared(NamedTuple):
    """One operation before its verdict."""

    sample: Sample
    scene: Scene
    gates: Mapping[str, Gate]  # those that count
    test: SelfTest


class _Weighed(NamedTuple):
    """All findings of one operation, those of segments among them."""

    evaluated: list[Evaluated]
    worst_segments: Mapping[str, Segment]


def _judge(evidence: Evidence, thresholds: Thresholds) -> Judgement:
    present = set(evidence.ledger["operation"])
    operations = [operation for operation in Operation if operation.value in present]
    bar = Bar(alpha=thresholds.stats.alpha, family=max(1, _claims(operations, thresholds)))
    prepared = [_prepare(operation, evidence, thresholds, bar) for operation in operations]
    tests = [each.test for each in prepared]
    fault = fault_of(evidence) or next((f"{test.operation}: {test.fault}" for test in tests if test.fault), None)
    weighed = [_weigh(each, thresholds, fault) for each in prepared]
    # Mostly numpy's draws, which let other threads run meanwhile.
    with ThreadPoolExecutor() as threads:
        details = threads.map(lambda each, found: _details(each, found, thresholds), prepared, weighed)
    samples = tuple(each.sample for each in prepared)
    verdicts = tuple(
        _verdict(sample.operation, found.evaluated, sample.pairs.height, fault)
        for sample, found in zip(samples, weighed, strict=True)
    )
    return Judgement(
        overall=_overall(verdicts, [finding for found in weighed for finding in found.evaluated], samples, fault),
        verdicts=verdicts,
        samples=samples,
        details=tuple(details),
        evidence=evidence,
        thresholds=thresholds,
        epoch=_epoch(evidence.runs, thresholds),
    )


def _prepare(operation: Operation, evidence: Evidence, thresholds: Thresholds, bar: Bar) -> _Prepared:
    as_of = max(run.ended_at for run in evidence.runs)
    sample = take_sample(evidence.pairs, operation, thresholds.stats, as_of=as_of)
    scene = _scene(sample, evidence, thresholds, bar)
    gates = counting(thresholds.gates_for(operation), scene)
    return _Prepared(sample, scene, gates, self_test(scene, gates))


def _weigh(prepared: _Prepared, thresholds: Thresholds, fault: str | None) -> _Weighed:
    sample, scene, gates, _ = prepared
    reason = fault or incomplete(sample, thresholds.stats.min_pair_completeness)
    segments = _NO_SEGMENTS if reason else judge_segments(scene, gates, thresholds.stats)
    return _Weighed(_with_vetoes(_evaluate(scene, thresholds, sample, reason), segments.vetoes), segments.worst)


def _details(prepared: _Prepared, weighed: _Weighed, thresholds: Thresholds) -> Details:
    _, scene, gates, test = prepared
    textbook = _beside(weighed.evaluated, scene, thresholds)
    return Details(test, weighed.worst_segments, worst_pairs(scene, gates), textbook)


def _claims(operations: Sequence[Operation], thresholds: Thresholds) -> int:
    """Blocking claims that could fail by chance, those of segments among them."""
    gates = [gate for operation in operations for gate in thresholds.gates_for(operation).values()]
    segments = SEGMENT_CLAIMS * len(operations) if thresholds.stats.segments else 0
    return sum(gate.claims for gate in gates if gate.blocking) + segments


def _scene(sample: Sample, evidence: Evidence, thresholds: Thresholds, bar: Bar) -> Scene:
    return Scene(
        operation=sample.operation,
        pairs=sample.pairs,
        noise_pairs=evidence.noise_pairs.filter(pl.col("operation") == sample.operation.value),
        bar=bar,
        unmeasured_max=1.0 - thresholds.stats.min_pair_completeness,
        held_back_share=held_back(evidence.runs),
        is_paced=is_paced(evidence.runs),
    )


def _evaluate(scene: Scene, thresholds: Thresholds, sample: Sample, fault: str | None) -> list[Evaluated]:
    """Every gate's finding for one operation, in the file's order."""
    gates = thresholds.gates_for(scene.operation)
    if fault is not None:
        counts = {"pairs": scene.pairs.height}
        return [
            unjudged(name, gate, scene.operation, outcome=Outcome.INVALID, why=fault, counts=counts)
            for name, gate in gates.items()
        ]
    findings = {name: evaluate(name, gate, scene) for name, gate in gates.items()}
    lacking = shortfall(sample, thresholds.stats)
    if lacking is not None:
        # A veto waits for nothing: it only ever fails on what it has seen (verdicts.md, correction 2).
        vetoes = [name for name, gate in gates.items() if isinstance(gate, PerVoice)]
        findings = {name: each if name in vetoes else withheld(each, lacking) for name, each in findings.items()}
    pace = Pace.of(sample, scene.noise_pairs)
    return [priced(each, pace) for each in findings.values()]


def _beside(evaluated: Sequence[Evaluated], scene: Scene, thresholds: Thresholds) -> dict[str, tuple[Beside, ...]]:
    gates = thresholds.gates_for(scene.operation)
    whole = [each for each in evaluated if each.finding.segment is None]
    return {each.finding.gate: beside(gates[each.finding.gate], each, scene) for each in whole}


def _with_vetoes(evaluated: list[Evaluated], vetoes: Sequence[Evaluated]) -> list[Evaluated]:
    """All findings: a gate that fails on all pairs needs no part of them to fail it again."""
    settled = {each.finding.gate for each in evaluated if each.finding.outcome in (Outcome.FAIL, Outcome.INVALID)}
    return [*evaluated, *(veto for veto in vetoes if veto.finding.gate not in settled)]


def _verdict(operation: Operation | None, evaluated: Sequence[Evaluated], pairs: int, fault: str | None) -> Verdict:
    """The worst blocking gate's word, the most certain one first."""
    findings = tuple(each.finding for each in sorted(evaluated, key=_order))
    deciding = worst(findings)
    if fault is not None:
        decision, reason = Decision.INVALID, fault
    elif deciding is None:
        decision, reason = Decision.INCONCLUSIVE, "no blocking gate judges it"
    else:
        decision, reason = decision_of(deciding.outcome), deciding.reason
    if decision is Decision.GO:
        passed = sum(finding.blocking for finding in findings)  # a segment is among them only when it failed
        reason = f"all {count(passed, 'blocking gate')} passed on {count(pairs, 'pair')}"
    return Verdict(operation=operation, decision=decision, reason=reason, findings=findings)


def _overall(
    verdicts: Sequence[Verdict], evaluated: Sequence[Evaluated], samples: Sequence[Sample], fault: str | None
) -> Verdict:
    """All operations together: the worst of them, whose name goes before its reason."""
    verdict = _verdict(None, evaluated, sum(sample.pairs.height for sample in samples), fault)
    if fault is not None:
        return verdict
    if not verdicts:
        return replace(verdict, reason="no request was replayed")
    ungated = next((each for each in verdicts if not any(finding.blocking for finding in each.findings)), None)
    if verdict.decision is Decision.GO and ungated is not None:
        verdict = replace(verdict, decision=Decision.INCONCLUSIVE, reason=f"{ungated.operation}: {ungated.reason}")
    elif verdict.decision is not Decision.GO:
        deciding = worst(verdict.findings)
        place = f"{deciding.operation}: " if deciding else ""
        verdict = replace(verdict, reason=place + verdict.reason)
    return verdict


def _order(each: Evaluated) -> tuple[Any, ...]:
    """Blocking before advisory, worst first, all pairs before a part, then certainty or wait, then the file's order."""
    finding, forecast = each.finding, each.finding.forecast
    certainty = each.strength if finding.outcome is Outcome.FAIL else 0.0
    wait = 0.0 if forecast is None else float("inf") if forecast.pairs_high is None else float(forecast.pairs_high)
    return (not finding.blocking, -SEVERITY.index(finding.outcome), finding.segment is not None, -certainty, -wait)


def _epoch(runs: Sequence[RunFacts], thresholds: Thresholds) -> str:
    """The hash that changes with limits, models and measuring, and so with all voices, which are bound to a model.

    A single voice that is enrolled anew begins its own evidence anew (samples.py); the others keep theirs.
    """
    models = sorted({model for run in runs for model in run.models})
    extractors = sorted({version for run in runs for version in run.extractors})
    return hashlib.sha256(json.dumps([thresholds.sha256, models, extractors]).encode()).hexdigest()
