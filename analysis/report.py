"""What is shown of a judgement: one plain dictionary, from which text, JSON and Markdown are made.

Numbers are raw and carry their unit; `schema` goes up when a key changes its meaning.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import polars as pl

from analysis.intervals import Beside
from analysis.judge import Details, Judgement
from analysis.order import recommended_order
from analysis.samples import Sample
from analysis.segments import Segment
from analysis.selftest import MIN_NOISE_PAIRS
from harness.judgement import Decision, Finding, Verdict, worst
from harness.speech import Operation

__all__ = ["SCHEMA", "View", "view_of"]

SCHEMA: Final = 1
View = dict[str, Any]

_DIGITS: Final = 10  # significant; sums of the same numbers may differ beyond


def view_of(judgement: Judgement, *, earlier_limits: Sequence[str] = ()) -> View:
    """The judgement as JSON has it; the same evidence gives the same dictionary.

    Args:
        judgement: What was judged.
        earlier_limits: Hashes of other thresholds files that judged the same runs before.
    """
    thresholds, overall = judgement.thresholds, judgement.overall
    judged = [verdict.operation for verdict in judgement.verdicts]
    return {
        "schema": SCHEMA,
        "decision": overall.decision.value,
        "reason": overall.reason,
        "exit_status": overall.decision.exit_status,
        "deciding": _deciding(overall),
        "runs": [
            {"run_id": run.run_id, "kind": run.kind, "status": run.status, "planned": run.planned, "rows": run.rows}
            for run in judgement.evidence.runs
        ],
        "as_of": judgement.as_of.isoformat(),
        "thresholds": {"name": thresholds.name, "sha256": thresholds.sha256, "note": thresholds.note},
        "evidence_epoch": judgement.epoch,
        "earlier_limits": list(earlier_limits),
        "operations": [
            _operation(verdict, sample, details)
            for verdict, sample, details in zip(judgement.verdicts, judgement.samples, judgement.details, strict=True)
        ],
        "order": [
            {"operation": place.operation.value, "next_step": place.next_step, "why": list(place.why)}
            for place in recommended_order(judgement.verdicts, judgement.samples)
        ],
        "not_judged": [operation.value for operation in Operation if operation not in judged],
        "ledger": _ledger(judgement),
    }


def _operation(verdict: Verdict, sample: Sample, details: Details) -> View:
    test = details.self_test
    return {
        "operation": sample.operation.value,
        "decision": verdict.decision.value,
        "reason": verdict.reason,
        "deciding": _deciding(verdict),
        "sample": {
            "planned": sample.planned,
            "unsent": sample.unsent,
            "unanswered": sample.unanswered,
            "too_old": sample.too_old,
            "enrolled_anew": sample.enrolled_anew,
            "repeated": sample.repeated,
            "over_voice_cap": sample.over_voice_cap,
            "pairs": sample.pairs.height,
            "voices": sample.voices,
            "days": sample.days,
            "completeness": _rounded(sample.completeness),
        },
        "self_test": {
            "noise_pairs": test.noise_pairs,
            "needed": MIN_NOISE_PAIRS,
            "fault": test.fault,
            "caught_from": dict(test.caught_from),
        },
        "findings": [_finding(finding, details) for finding in verdict.findings],
        "worst_pairs": [
            {
                "run_id": pair.run_id,
                "capture_id": pair.capture_id,
                "repetition": pair.repetition,
                "gates": list(pair.gates),
                "reasons": list(pair.reasons),
            }
            for pair in details.worst_pairs
        ],
    }


def _deciding(verdict: Verdict) -> View | None:
    """The gate that decides; None for a go, which all of them decide, and where no gate had a say."""
    finding = worst(verdict.findings)
    if finding is None or verdict.decision is Decision.GO:
        return None
    return {"operation": finding.operation.value, "gate": finding.gate}


def _finding(finding: Finding, details: Details) -> View:
    interval, forecast = finding.interval, finding.forecast
    worst_segment = details.worst_segments.get(finding.gate)
    return {
        "gate": finding.gate,
        "outcome": finding.outcome.value,
        "blocking": finding.blocking,
        "segment": finding.segment,
        "estimate": _rounded(interval.estimate),
        "low": _rounded(interval.low),
        "high": _rounded(interval.high),
        "level": _rounded(interval.level),
        "limit": _rounded(finding.limit),
        "unit": finding.unit,
        "counts": dict(finding.counts),
        "reason": finding.reason,
        "forecast": forecast and asdict(forecast),
        "flip": _flip(finding, None if finding.segment else worst_segment),
        "beside": [] if finding.segment else [_beside(each) for each in details.beside.get(finding.gate, ())],
    }


def _beside(each: Beside) -> View:
    """An interval for one look, as textbooks have it: it never decides."""
    return {**each._asdict(), "low": _rounded(each.low), "high": _rounded(each.high)}


def _flip(finding: Finding, worst_segment: Segment | None) -> View:
    """How far the gate is from another outcome.

    `smallest_limit` is what these pairs would prove to be kept; `distance` is how much of the limit that leaves,
    negative where the limit would have to be raised by so much.
    """
    smallest, limit = finding.interval.high, finding.limit
    distance = None if smallest is None or limit is None else limit - smallest
    return {
        "smallest_limit": _rounded(smallest),
        "distance": _rounded(distance),
        "worst_segment": worst_segment
        and {
            "name": worst_segment.name,
            "pairs": worst_segment.pairs,
            "candidate_only": worst_segment.worse,
            "control_only": worst_segment.better,
            "excess_pp": _rounded(100.0 * worst_segment.excess),
        },
    }


def _ledger(judgement: Judgement) -> View:
    """Every planned leg once: lanes add up to rows, and rows to planned unless a run was interrupted."""
    lanes: dict[str, dict[str, int]] = defaultdict(dict)
    totals = judgement.evidence.ledger.group_by("lane", "outcome").agg(exchanges=pl.col("exchanges").sum())
    for lane, outcome, exchanges in totals.sort("lane", "outcome").iter_rows():
        lanes[lane][outcome] = int(exchanges)
    return {
        "planned": sum(run.planned for run in judgement.evidence.runs),
        "rows": sum(run.rows for run in judgement.evidence.runs),
        "lanes": [
            {"lane": lane, "exchanges": sum(outcomes.values()), "outcomes": outcomes}
            for lane, outcomes in lanes.items()
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
