"""What a plan would do and what a run did, for people and for machines."""

import json
from collections import Counter
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.exchanges import OK, Lane
from harness.speech import billed_chars
from harness.store.ledger import Ledger
from harness.store.runs import Run
from replay.session import Session

__all__ = ["plan_json", "plan_text", "summary_json", "summary_text"]


def plan_json(session: Session) -> str:
    """The plan as one JSON object."""
    return json.dumps(_plan(session), indent=2, sort_keys=True)


def plan_text(session: Session) -> str:
    """The plan as a table: what would be sent, where, and what it can cost at most."""
    plan = _plan(session)
    table = Table(title=f"{plan['captures']} captures, {plan['billed_chars']:,} billed characters")
    for heading, justify in (("lane", "left"), ("provider", "left"), ("legs", "right"), ("at most", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for lane, row in plan["lanes"].items():
        bound = "no price known" if row["worst_usd"] is None else f"${row['worst_usd']:,.2f}"
        table.add_row(lane, f"{row['provider']} ({row['account']})", str(row["legs"]), bound)
    lines = [
        _rendered(table),
        f"Read: {plan['source']['good']} good, {plan['source']['quarantined']} quarantined, "
        f"{plan['source']['skipped']} skipped of {plan['source']['lines']} lines.",
        f"Shortest at the quota: about {plan['seconds_at_quota']:.0f} s.",
        f"Plan {plan['confirm']}" + (f", goes on with run {plan['run']}" if plan["resumes"] else ""),
    ]
    return "\n".join(lines)


def _plan(session: Session) -> dict[str, Any]:
    plan = session.plan
    counts = plan.leg_counts()
    settings = session.settings
    rates = {
        name: quota.share * min(quota.per_second, quota.per_minute / 60)
        for name, quota in (("qwen", settings.qwen.quota), ("modal", settings.modal.quota))
    }
    by_provider: Counter[str] = Counter()
    lanes = {}
    for lane in (Lane.CONTROL, Lane.CANDIDATE, Lane.REPEAT):
        target = plan.targets[lane]
        worst = session.worst_microusd(lane)
        by_provider[target.provider] += counts[lane]
        lanes[lane.value] = {
            "provider": target.provider,
            "account": target.account,
            "legs": counts[lane],
            "worst_usd": None if worst is None else worst / 1e6,
        }
    return {
        "schema": 1,
        "confirm": plan.confirmation,
        "plan_sha256": plan.sha256,
        "captures": len(plan.captures),
        "billed_chars": sum(billed_chars(capture.request.spoken_text) for capture in plan.captures),
        "operations": dict(sorted(Counter(c.request.operation.value for c in plan.captures).items())),
        "lanes": lanes,
        "seconds_at_quota": max(count / rates[provider] for provider, count in by_provider.items()),
        "source": {**session.source.counts._asdict(), "lines": session.source.counts.lines},
        "resumes": session.resumes,
        "run": session.run.id if session.resumes else None,
    }


def summary_json(run: Run, ledger: Ledger) -> str:
    """What a run did, as one JSON object."""
    return json.dumps(_summary(run, ledger), indent=2, sort_keys=True)


def summary_text(run: Run, ledger: Ledger) -> str:
    """What a run did: every planned leg in exactly one place, and what was spent."""
    summary = _summary(run, ledger)
    outcomes = sorted({name for row in summary["lanes"].values() for name in row["outcomes"]}, key=_ok_first)
    table = Table(title=f"run {run.id}")
    for heading in ("lane", "planned", *outcomes):
        table.add_column(heading, justify="left" if heading == "lane" else "right")
    for lane, row in summary["lanes"].items():
        table.add_row(lane, str(row["planned"]), *(str(row["outcomes"].get(name, 0)) for name in outcomes))
    spent = ", ".join(f"{provider} ${usd:.4f}" for provider, usd in summary["spent_usd"].items())
    return (
        _rendered(table)
        + f"\n{summary['planned']} legs planned = {summary['final']} with an outcome + {summary['missing']} missing."
        + f"\nSpent: {spent or 'nothing'} in {summary['paid_calls']} calls; {summary['voices_left']} voices kept there."
        + f"\nDatabase: {run.database}"
    )


def _ok_first(name: str) -> tuple[bool, str]:
    return (name != OK, name)


def _summary(run: Run, ledger: Ledger) -> dict[str, Any]:
    providers = sorted({call["provider"] for call in ledger.calls.values()})
    lanes = {
        lane: {"planned": counts.total(), "outcomes": dict(sorted(counts.items()))}
        for lane, counts in sorted(ledger.outcomes().items())
    }
    return {
        "schema": 1,
        "run": run.id,
        "lanes": lanes,
        "planned": len(ledger.planned),
        "final": len(ledger.results),
        "missing": len(ledger.missing),
        "paid_calls": len(ledger.calls),
        "voices_left": len(ledger.voices),
        "spent_usd": {provider: ledger.spent_microusd(provider) / 1e6 for provider in providers},
        "database": str(run.database),
    }


def _rendered(table: Table) -> str:
    page = StringIO()
    Console(file=page, width=110, force_terminal=False).print(table)
    return page.getvalue().rstrip()
