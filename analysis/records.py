"""A judgement as a run keeps it: one record, from which the tables `verdicts` and `gates` are sealed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from analysis.judge import Judgement
from harness.judgement import Finding, Verdict
from harness.store.journal import Journal, read_journal
from harness.store.runs import Run
from harness.store.seal import seal

__all__ = ["earlier_limits", "judgement_record", "keep", "thresholds_of"]

Record = dict[str, Any]


def judgement_record(judgement: Judgement, *, judged_at: datetime) -> Record:
    """The rows of `verdicts` and `gates`; the run is the first of those judged together."""
    verdicts = (judgement.overall, *judgement.verdicts)
    return {
        "type": "judgement",
        "verdicts": [_verdict_row(verdict, judgement, judged_at) for verdict in verdicts],
        "gates": [_gate_row(finding, judgement) for verdict in judgement.verdicts for finding in verdict.findings],
    }


def keep(run: Run, judgement: Judgement, *, judged_at: datetime) -> bool:
    """Append the judgement to the run and seal it again; say whether it was new.

    The same judgement is kept once: asking again neither grows nor rebuilds anything.

    Raises:
        StoreError: The run's files are damaged or cannot be written.
    """
    record = judgement_record(judgement, judged_at=judged_at)
    last = _last(run)
    if last is not None and _without_time(last) == _without_time(record):
        if not run.is_sealed:  # killed between the two steps below
            seal(run)
        return False
    with Journal(run.judgement) as journal:
        journal.append(record)
        journal.sync()
    seal(run)
    return True


def thresholds_of(run: Run) -> str | None:
    """The thresholds file that last judged the run, as it was recorded; None when nothing did."""
    last = _last(run)
    return str(last["verdicts"][0]["thresholds"]) if last else None


def earlier_limits(runs: Iterable[Run], thresholds_sha256: str) -> tuple[str, ...]:
    """Hashes of the other thresholds files these runs were judged by: limits that changed after the result was seen."""
    judged = {
        str(verdict["thresholds_sha256"])
        for run in runs
        if run.judgement.exists()
        for record in read_journal(run.judgement).records
        for verdict in record["verdicts"]
    }
    return tuple(sorted(judged - {thresholds_sha256}))


def _last(run: Run) -> Record | None:
    records = read_journal(run.judgement).records if run.judgement.exists() else []
    return records[-1] if records else None


def _without_time(record: Record) -> Record:
    verdicts = [{**verdict, "judged_at": None} for verdict in record["verdicts"]]
    return {**record, "verdicts": verdicts}


def _verdict_row(verdict: Verdict, judgement: Judgement, judged_at: datetime) -> Record:
    return {
        "run_id": judgement.run_ids[0],
        "operation": verdict.operation and verdict.operation.value,
        "decision": verdict.decision.value,
        "reason": verdict.reason,
        "judged_at": judged_at.isoformat(),
        "thresholds": judgement.thresholds.name,
        "thresholds_sha256": judgement.thresholds.sha256,
        "evidence_epoch": judgement.epoch,
    }


def _gate_row(finding: Finding, judgement: Judgement) -> Record:
    return {
        "run_id": judgement.run_ids[0],
        "operation": finding.operation.value,
        "segment": finding.segment,
        "gate": finding.gate,
        "outcome": finding.outcome.value,
        "blocking": finding.blocking,
        "estimate": finding.interval.estimate,
        "low": finding.interval.low,
        "high": finding.interval.high,
        "limit_value": finding.limit,
        "unit": finding.unit,
        "counts": dict(finding.counts),
        "reason": finding.reason,
        "forecast": finding.forecast and finding.forecast.text,
        "evidence_epoch": judgement.epoch,
    }
