"""`cutover capture pick`: few captures that stand for many."""

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from harness.capturing.keys import open_keys
from harness.config import Settings
from harness.errors import UsageError
from harness.providers.container_rate import ContainerRate
from harness.providers.pricing import PriceList
from harness.run_argument import run_named
from harness.speech import LANGUAGES, Operation, VoiceKind
from replay.picking.costs import Costs
from replay.picking.cover import Choice, Limits
from replay.picking.filters import Filter
from replay.picking.picking import (
    Picked,
    answered_captures,
    failed_captures,
    pick_covering,
    pick_every,
    weights_path,
    write_weights,
)
from replay.sources import read_captures

__all__ = ["pick"]

_OPERATIONS: Final = [one.value for one in Operation]
_VOICE_KINDS: Final = [one.value for one in VoiceKind]


def _moment(_: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """ISO 8601 with its zone; a bare day begins at midnight in UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{value}T00:00Z" if len(value) == 10 else value)
    except ValueError:
        raise UsageError(f"--{parameter.name} {value}: is no time; write 2026-11-22 or 2026-11-22T10:15Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"--{parameter.name} {value}: names no time zone; write {value}Z for UTC")
    return moment


@click.command(epilog="Example: cutover capture pick captures.jsonl.zst --out nightly.jsonl.zst --limit 200")
@click.argument("captures", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make; .zst packs it.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many captures.")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), help="At most so many USD at Qwen, with voices.")
@click.option("--with-legacy", is_flag=True, help="Count the legacy path too, by the seconds that production waited.")
@click.option("--budget-chars", type=click.IntRange(min=1), help="At most so many billed characters together.")
@click.option("--failures-of", multiple=True, metavar="RUN", help="Take what failed in this run before all else.")
@click.option("--except", "except_", multiple=True, metavar="RUN", help="Leave out what both answered in this run.")
@click.option("--fill", is_flag=True, help="Use up the limit with more of what is frequent.")
@click.option("--every", is_flag=True, help="Take every capture that passes the filters, instead of few that cover.")
@click.option("--operation", multiple=True, type=click.Choice(_OPERATIONS), help="Only these operations.")
@click.option("--language", multiple=True, type=click.Choice([*LANGUAGES, "auto"]), help="Only these languages.")
@click.option("--voice-kind", multiple=True, type=click.Choice(_VOICE_KINDS), help="Only voices of this kind.")
@click.option("--segment", multiple=True, help="Only captures with this label.")
@click.option("--since", metavar="TIME", callback=_moment, help="Only captured at this time or later.")
@click.option("--until", metavar="TIME", callback=_moment, help="Only captured before this time.")
@click.option("--max-chars", type=click.IntRange(min=1), help="Only texts of at most so many characters.")
@click.option("--with-consent", is_flag=True, help="Cloned voices only with a consent.")
@click.option(
    "--sample", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Only this share, by stable hash."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which share, and which of equals.")
@click.option("--replace", is_flag=True, help="Replace the file when it is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def pick(
    captures: Path,
    out: Path,
    limit: int | None,
    budget: float | None,
    with_legacy: bool,
    budget_chars: int | None,
    failures_of: tuple[str, ...],
    except_: tuple[str, ...],
    fill: bool,
    every: bool,
    operation: tuple[str, ...],
    language: tuple[str, ...],
    voice_kind: tuple[str, ...],
    segment: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    max_chars: int | None,
    with_consent: bool,
    sample: float,
    seed: int,
    replace: bool,
    as_json: bool,
) -> None:
    """Choose the cheapest captures that cover every kind of request, for runs under a budget.

    Covered are operation, language, length and voice together, and traits such as digits, questions or streaming.
    Each chosen capture carries a weight: how many of the file it stands for.
    """
    if every and (failures_of or fill):
        raise UsageError("--every takes all that passes the filters; it goes with neither --failures-of nor --fill")
    if fill and limit is None and budget is None and budget_chars is None:
        raise UsageError("--fill uses up a limit; give --limit, --budget or --budget-chars")
    settings = Settings.load()
    keep = Filter(
        operations=operation,
        languages=language,
        voice_kinds=voice_kind,
        segments=segment,
        since=since,
        until=until,
        max_chars=max_chars,
        with_consent=with_consent,
        sample=sample,
        seed=seed,
        leave_out=answered_captures(run_named(settings.home, name, sealed=False) for name in except_),
    )
    limits = Limits(limit, budget_chars, None if budget is None else math.floor(budget * 1e6))
    prices = PriceList.load(settings.prices)
    costs = Costs(prices, settings.qwen, legacy=ContainerRate(settings.modal, prices) if with_legacy else None)
    source = read_captures(captures, quarantine=settings.home / "quarantine", keys=open_keys(settings))
    choice = None
    if not every:
        failed = failed_captures(run_named(settings.home, name, sealed=False) for name in failures_of)
        choice = pick_covering(source, keep, limits, costs=costs, failed=failed, fill=fill)
    chosen = choice.chosen if choice else None
    picked = pick_every(source, keep, limits, out, costs=costs, chosen=chosen, replace=replace)
    if choice:
        write_weights(out, choice)
    facts = {**_facts(out, picked, choice), "cost_of": costs.where}
    click.echo(json.dumps(facts, indent=2) if as_json else _text(facts))
    if except_ and not picked.of:
        click.echo("Nothing is left: what passes was answered in those runs; without --except it is taken.", err=True)
        return
    click.echo(f"Next: cutover replay {out}", err=True)


def _facts(out: Path, picked: Picked, choice: Choice | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": str(out), **picked._asdict()}
    if choice:
        facts |= {
            "weights": str(weights_path(out)),
            "strata": choice.strata,
            "strata_covered": choice.strata_covered,
            "traits": choice.traits,
            "traits_covered": choice.traits_covered,
            "traffic_covered": round(choice.traffic_covered, 4),
            "failures": choice.failures,
            "failures_chosen": choice.failures_chosen,
        }
    return facts


def _text(facts: dict[str, Any]) -> str:
    lines = [
        f"{facts['file']}: {facts['captures']:,} of {facts['of']:,} captures, {facts['chars']:,} billed characters, "
        f"{facts['voices']} voices to make, ${facts['microusd'] / 1e6:.4f} {facts['cost_of']}"
    ]
    if "strata" in facts:
        lines.append(
            f"  covers {facts['strata_covered']} of {facts['strata']} strata with {facts['traffic_covered']:.1%} "
            f"of the traffic, and {facts['traits_covered']} of {facts['traits']} traits; weights in {facts['weights']}"
        )
    if facts.get("failures"):
        lines.append(f"  past failures: {facts['failures_chosen']} of {facts['failures']}")
    return "\n".join(lines)
