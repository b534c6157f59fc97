"""Sealed runs with a verdict, as `cutover verdict` leaves them behind."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from harness.store.journal import Journal, read_journal
from harness.store.runs import Run
from harness.store.seal import seal
from tests.builders import NOON
from tests.replayed import a_replayed_run


def a_judged_run(
    home: Path,
    *,
    decision: str = "go",
    epoch: str = "e1" * 32,
    kind: str = "replay",
    gates: tuple[dict[str, Any], ...] = ({},),
    day: int = 0,
    **options: Any,
) -> Run:
    run_id = f"202611{23 + day}T120000Z-{kind[:6]}"
    run = a_replayed_run(home, run_id=run_id, day=day, **options)
    if kind != "replay":
        _relabel(run, kind)
    row = {"run_id": run.id, "operation": "generate", "reason": f"it is {decision}", "evidence_epoch": epoch}
    gate = {"run_id": run.id, "operation": "generate", "gate": "latency_p95", "outcome": "pass", "blocking": True}
    gate |= {"unit": "ratio", "counts": {}, "reason": "fast enough", "evidence_epoch": epoch}
    judged_at = (NOON + timedelta(days=day, hours=1)).isoformat()
    with Journal(run.judgement) as journal:
        journal.append(
            {
                "type": "judgement",
                "verdicts": [{**row, "decision": decision, "judged_at": judged_at, "thresholds": "t"}],
                "gates": [{**gate, **each} for each in gates],
            }
        )
        journal.sync()
    seal(run)
    return run


def _relabel(run: Run, kind: str) -> None:
    """The same run as another kind."""
    records = read_journal(run.journal).records
    run.journal.unlink()
    with Journal(run.journal) as journal:
        for record in records:
            journal.append({**record, "kind": kind} if record["type"] == "plan" else record)
        journal.sync()
