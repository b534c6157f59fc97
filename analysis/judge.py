"""May we cut over? All gates of all operations, and which of them decides.

A pure function of evidence and thresholds: it reads no clock and no file, and knows nothing of how a verdict is shown.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from analysis.costs import judge_cost
from analysis.evidence import Evidence, RunFacts
from analysis.findings import SEVERITY, Evaluated, Scene, conclude, unjudged, withheld
from analysis.gates import Gate, PairedAny, PairedBand, PairedBinary, PairedExceed, PairedTail, PerVoice, RatioOfTotals
from analysis.proofs import Bar
from analysis.samples import Sample, shortfall, take_sample
from analysis.shares import judge_conditions, judge_outcomes, judge_tail
from analysis.thresholds import Thresholds
from analysis.units import count
from analysis.voices import judge_voices
from harness.exchanges import Lane
from harness.judgement import Decision, Finding, Outcome, Verdict, decision_of, worst
from harness.speech import Operation

__all__ = ["Judgement", "judge"]

_EVALUATORS: Final = MappingProxyType[type[Gate], Callable[..., Evaluated]](
    {
        PairedBinary: judge_outcomes,
        PairedTail: judge_tail,
        PairedExceed: judge_conditions,
        PairedBand: judge_conditions,
        PairedAny: judge_conditions,
        RatioOfTotals: judge_cost,
        PerVoice: judge_voices,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict on every operation that was replayed, what it rests on, and by which rules."""

    overall: Verdict  # its findings are those of all operations, the deciding one first
    verdicts: tuple[Verdict, ...]
    samples: tuple[Sample, ...]  # one for each of `verdicts`
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
    """The verdict on `evidence`, which holds at least one run."""
    present = set(evidence.ledger["operation"])
    operations = [operation for operation in Operation if operation.value in present]
    as_of = max(run.ended_at for run in evidence.runs)
    samples = [take_sample(evidence.pairs, operation, thresholds.stats, as_of=as_of) for operation in operations]
    bar = Bar(alpha=thresholds.stats.alpha, family=max(1, _claims(operations, thresholds)))
    fault = _fault(evidence)
    evaluated = [_evaluate(sample, evidence, thresholds, bar, fault) for sample in samples]
    return Judgement(
        overall=_verdict(None, [each for group in evaluated for each in group], thresholds, fault),
        verdicts=tuple(
            _verdict(operation, group, thresholds, fault)
            for operation, group in zip(operations, evaluated, strict=True)
        ),
        samples=tuple(samples),
        evidence=evidence,
        thresholds=thresholds,
        epoch=_epoch(evidence.runs, thresholds),
    )


def _claims(operations: Iterable[Operation], thresholds: Thresholds) -> int:
    """Blocking claims that could fail by chance."""
    gates = [gate for operation in operations for gate in thresholds.gates_for(operation).values()]
    return sum(gate.claims for gate in gates if gate.blocking)


def _evaluate(
    sample: Sample, evidence: Evidence, thresholds: Thresholds, bar: Bar, fault: str | None
) -> list[Evaluated]:
    """Every gate's finding for one operation, in the file's order."""
    gates = thresholds.gates_for(sample.operation)
    fault = fault or _incomplete(sample, thresholds)
    if fault is not None:
        return [
            unjudged(
                name, gate, sample.operation, outcome=Outcome.INVALID, why=fault, counts={"pairs": sample.pairs.height}
            )
            for name, gate in gates.items()
        ]
    noise = evidence.noise_pairs
    scene = Scene(
        operation=sample.operation,
        pairs=sample.pairs,
        noise_pairs=noise.filter(noise["operation"] == sample.operation.value),
        bar=bar,
        unmeasured_max=1.0 - thresholds.stats.min_pair_completeness,
    )
    findings = {name: _EVALUATORS[type(gate)](name, gate, scene) for name, gate in gates.items()}
    lacking = shortfall(sample, thresholds.stats)
    if lacking is None:
        return list(findings.values())
    # A veto waits for nothing: it only ever fails on what it has seen (verdicts.md, correction 2).
    return [each if isinstance(gates[name], PerVoice) else withheld(each, lacking) for name, each in findings.items()]


def _incomplete(sample: Sample, thresholds: Thresholds) -> str | None:
    """Why this operation cannot be judged although the ledger balances: unequal gaps would look like quality."""
    least = thresholds.stats.min_pair_completeness
    if sample.completeness is None or sample.completeness >= least:
        return None
    sent = sample.planned - sample.unsent
    return (
        f"{sent - sample.unanswered:,} of {count(sent, 'capture')} sent have a final outcome in both lanes "
        f"({100 * sample.completeness:.1f} %), at least {100 * least:g} % must; find out why the others have none"
    )


def _fault(evidence: Evidence) -> str | None:
    """Why nothing of these runs can be judged; None when their books balance."""
    for run in evidence.runs:
        if run.status != "complete" or run.planned != run.rows:
            return (
                f"run {run.run_id} is {run.status}: {run.planned:,} legs planned, {run.rows:,} have an outcome; "
                "the replay's own command goes on with it"
            )
    ledger = evidence.ledger
    for lane in (Lane.CONTROL, Lane.CANDIDATE):
        legs = int(ledger.filter(ledger["lane"] == lane.value)["exchanges"].sum())
        if legs != evidence.pairs.height:
            return f"{legs:,} {lane} legs make {count(evidence.pairs.height, 'pair')}; every capture needs both lanes"
    return _strangers(evidence.runs)


def _strangers(runs: Sequence[RunFacts]) -> str | None:
    """Two runs that met different models at the same place: their pairs do not add up to one sample."""
    for earlier, later in zip(runs, runs[1:], strict=False):
        for place in sorted({" ".join(model.split()[:2]) for model in earlier.models}):
            before = {model for model in earlier.models if model.startswith(f"{place} ")}
            after = {model for model in later.models if model.startswith(f"{place} ")}
            if before and after and not before & after:
                return (
                    f"runs {earlier.run_id} and {later.run_id} met different models "
                    f"({', '.join(sorted(before))}; {', '.join(sorted(after))}); judge them apart"
                )
    return None


def _verdict(
    operation: Operation | None, evaluated: Sequence[Evaluated], thresholds: Thresholds, fault: str | None
) -> Verdict:
    findings = tuple(each.finding for each in sorted(evaluated, key=_order))
    deciding = worst(findings)
    if fault is not None:
        return Verdict(operation=operation, decision=Decision.INVALID, reason=fault, findings=findings)
    if deciding is None:
        what = "no request was replayed" if not findings else f"{thresholds.name} has no blocking gate for it"
        return Verdict(operation=operation, decision=Decision.INCONCLUSIVE, reason=what, findings=findings)
    decision = decision_of(deciding.outcome)
    reason = _all_passed(findings) if decision is Decision.GO else deciding.reason
    if operation is None and decision is not Decision.GO:
        reason = f"{deciding.operation}: {reason}"
    return Verdict(operation=operation, decision=decision, reason=reason, findings=findings)


def _order(each: Evaluated) -> tuple[Any, ...]:
    """Blocking before advisory, worst first, then the most certain fail, then the longest wait."""
    finding = each.finding
    forecast = finding.forecast
    wait = 0.0 if forecast is None else float("inf") if forecast.pairs_high is None else float(forecast.pairs_high)
    return (not finding.blocking, -SEVERITY.index(finding.outcome), -each.strength, -wait)


def _all_passed(findings: Iterable[Finding]) -> str:
    blocking = [finding for finding in findings if finding.blocking]
    return f"all {count(len(blocking), 'blocking gate')} passed"


def _epoch(runs: Sequence[RunFacts], thresholds: Thresholds) -> str:
    models = sorted({model for run in runs for model in run.models})
    extractors = sorted({version for run in runs for version in run.extractors})
    return hashlib.sha256(json.dumps([thresholds.sha256, models, extractors]).encode()).hexdigest()
