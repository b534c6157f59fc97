"""What a plan would do and what a run did, for people and for machines."""

import json
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from harness.exchanges import OK, Lane
from harness.store.balance import HELD_BACK_S, HELD_BACK_SHARE, Balance
from harness.store.runs import Run
from replay.metered import Metered, metered
from replay.position import position_effect
from replay.sealed import metadata_of, pairs_of
from replay.session import Session
from replay.timeliness import TOGETHER_S, timeliness

__all__ = ["plan_json", "plan_text", "summary_json", "summary_text"]

_TOGETHER_SHARE: Final = 0.99  # fewer pairs than that, and it is said how to keep them together
_LATE: Final = (("p50", "p50_s"), ("p99", "p99_s"), ("max", "max_s"), ("at the end", "end_s"))


def plan_json(session: Session) -> str:
    """The plan as one JSON object."""
    return json.dumps(_plan(session), indent=2, sort_keys=True)


def plan_text(session: Session) -> str:
    """The plan as a table: what would be sent, where, and what it can cost at most."""
    plan = _plan(session)
    table = Table(title=f"{plan['captures']} captures, {plan['billed_chars']:,} billed characters")
    for heading in ("lane", "provider", "legs", "not sent", "first attempts at most"):
        table.add_column(heading, justify="left" if heading in ("lane", "provider") else "right")
    for lane, row in plan["lanes"].items():
        bound = "no price known" if row["worst_usd"] is None else f"${row['worst_usd']:,.2f}"
        place = f"{row['provider']} ({row['account']})"
        table.add_row(lane, place, str(row["legs"]), str(row["skipped"]), bound)
    lines = [
        _rendered(table),
        f"Read: {plan['source']['good']} good, {plan['source']['quarantined']} quarantined, "
        f"{plan['source']['skipped']} skipped of {plan['source']['lines']} lines.",
        "Not sent: without consent, or refused before it costs anything. Retries, and voices that have to be made "
        "first, come on top: what holds is --budget.",
        f"Shortest at the quota: about {plan['seconds_at_quota']:.0f} s.",
        f"Plan {plan['confirm']}" + (f", goes on with run {plan['run']}" if plan["resumes"] else ""),
    ]
    return "\n".join(lines)


def _plan(session: Session) -> dict[str, Any]:
    plan = session.plan
    found = session.extent()
    settings = session.settings
    rates = {
        name: quota.share * min(quota.per_second, quota.per_minute / 60)
        for name, quota in (("qwen", settings.qwen.quota), ("modal", settings.modal.quota))
    }
    by_provider: Counter[str] = Counter()
    lanes = {}
    for lane in (Lane.CONTROL, Lane.CANDIDATE, Lane.REPEAT):
        target = plan.targets[lane]
        worst, legs, skipped = found.worst_microusd[lane], found.legs.get(lane, 0), found.skipped.get(lane, 0)
        by_provider[target.provider] += legs - skipped
        lanes[lane.value] = {
            "provider": target.provider,
            "account": target.account,
            "legs": legs,
            "skipped": skipped,
            "worst_usd": None if worst is None else worst / 1e6,
        }
    return {
        "schema": 1,
        "confirm": plan.confirmation,
        "plan_sha256": plan.sha256,
        "captures": found.captures,
        "billed_chars": found.billed_chars,
        "operations": dict(sorted(found.operations.items())),
        "lanes": lanes,
        "seconds_at_quota": max(count / rates[provider] for provider, count in by_provider.items()),
        "source": {**session.source.counts._asdict(), "lines": session.source.counts.lines},
        "resumes": session.resumes,
        "run": session.run.id if session.resumes else None,
    }


def summary_json(run: Run, balance: Balance) -> str:
    """What a sealed run did, as one JSON object.

    Raises:
        StoreError: Its database cannot be read.
    """
    return json.dumps(_summary(run, balance, metered(metadata_of(run.database))), indent=2, sort_keys=True)


def summary_text(run: Run, balance: Balance) -> str:
    """What a sealed run did: every planned leg in exactly one place, and what was spent.

    Raises:
        StoreError: Its database cannot be read.
    """
    meters = metered(metadata_of(run.database))
    summary = _summary(run, balance, meters)
    outcomes = sorted({name for row in summary["lanes"].values() for name in row["outcomes"]}, key=_ok_first)
    table = Table(title=f"run {run.id}")
    for heading in ("lane", "planned", *outcomes):
        table.add_column(heading, justify="left" if heading == "lane" else "right")
    for lane, row in summary["lanes"].items():
        table.add_row(lane, str(row["planned"]), *(str(row["outcomes"].get(name, 0)) for name in outcomes))
    spent = ", ".join(f"{provider} ${usd:.4f}" for provider, usd in summary["spent_usd"].items())
    return "\n".join(
        [
            _rendered(table),
            f"{summary['planned']} legs planned = {summary['final']} with an outcome + {summary['missing']} missing.",
            f"Spent: {spent or 'nothing'} in {summary['paid_calls']} calls; "
            f"{summary['voices_left']} voices kept there.",
            *meters.lines(),
            *_punctuality(summary),
            f"Database: {run.database}",
        ]
    )


def _punctuality(summary: dict[str, Any]) -> Iterator[str]:
    """What the run says about itself as a measurement."""
    late, gap, effect = summary["lateness"], summary["start_gap"], summary["position_effect"]
    if late and late["max_s"]:
        words = ", ".join(f"{name} {_ms(late[key])}" for name, key in _LATE)
        yield f"Schedule {late['pacing']}: captures began late by {words}."
    for lane, row in summary["latency"].items():
        service_s, from_due_s = row["service_p99_s"], row["from_due_p99_s"]
        yield f"Latency of {lane}, p99: {service_s:.3f} s of service, {from_due_s:.3f} s from due."
    if gap["pairs"]:
        yield (
            f"Both legs began within {_ms(TOGETHER_S)} of each other in {gap['together_share']:.1%} of {gap['pairs']} "
            f"pairs (p50 {_ms(gap['p50_s'])}, p99 {_ms(gap['p99_s'])}, max {_ms(gap['max_s'])})."
        )
        if gap["together_share"] < _TOGETHER_SHARE:
            yield (
                "  Both waited for every quota first, so this machine or its disk was too busy: fewer at a time "
                "(CUTOVER_REPLAY__CONCURRENCY) or a slower --pace keeps them together."
            )
    if effect:
        yield (
            f"Position: who begins second takes {effect['ratio']:.3f} times as long [{effect['low']:.3f}, "
            f"{effect['high']:.3f}], 95 % by Welch on log ratios of {effect['pairs']} pairs: "
            f"{'no effect shown' if effect['is_none'] else 'an effect that the balanced order cancels'}."
        )
    if summary["warm_ups"]:
        yield f"Warm-up: {summary['warm_ups']} calls, kept apart and never judged."
    if summary["slowed_by_us"]:
        yield (
            f"Slowed by its own limits: {summary['held_back_share']:.1%} of the legs left over {_ms(HELD_BACK_S)} "
            f"after they were due ({_waits(summary)}). Latency under load says nothing about the providers; "
            "the rest holds."
        )


def _waits(summary: dict[str, Any]) -> str:
    waits = [f"{name} {wait_s:.1f} s" for name, wait_s in summary["quota_waited_s"].items() if wait_s >= 0.1]
    return f"waited for quota: {', '.join(waits)}" if waits else "waited for room among the captures under way"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"


def _ok_first(name: str) -> tuple[bool, str]:
    return (name != OK, name)


def _summary(run: Run, balance: Balance, meters: Metered) -> dict[str, Any]:
    lanes = {
        lane: {"planned": counts.total(), "outcomes": dict(sorted(counts.items()))}
        for lane, counts in sorted(balance.outcomes().items())
    }
    return {
        "schema": 1,
        "run": run.id,
        "lanes": lanes,
        "planned": balance.legs,
        "final": balance.answered,
        "missing": balance.unanswered,
        "paid_calls": balance.paid_calls,
        "voices_left": len(balance.voices),
        "spent_usd": {provider: spent / 1e6 for provider, spent in sorted(balance.spent_by_provider().items())},
        "warm_ups": balance.warm_ups,
        "metered": meters.as_json(),
        **_measured(run, balance),
        "database": str(run.database),
    }


def _measured(run: Run, balance: Balance) -> dict[str, Any]:
    """The run as a measurement: how punctual it was, and what the order of lanes did."""
    found, effect = timeliness(pairs_of(run.database)), position_effect(pairs_of(run.database))
    sitting = balance.pacing
    late = {name: sitting[name] for name in ("pacing", "p50_s", "p99_s", "max_s", "end_s") if name in sitting}
    held_back = balance.held_back_share
    return {
        "lateness": late or None,
        "latency": {lane: latency._asdict() for lane, latency in found.latencies.items()},
        "start_gap": found.start_gap._asdict(),
        "position_effect": effect
        and {
            "ratio": effect.ratio,
            "low": effect.low,
            "high": effect.high,
            "pairs": effect.control_first + effect.candidate_first,
            "is_none": effect.is_none,
        },
        "held_back_share": held_back,
        "slowed_by_us": held_back is not None and held_back > HELD_BACK_SHARE,
        "quota_waited_s": sitting.get("quota_waited_s", {}),
        "throttled": sitting.get("throttled", {}),
    }


def _rendered(table: Table) -> str:
    page = StringIO()
    Console(file=page, width=110, force_terminal=False).print(table)
    return page.getvalue().rstrip()
