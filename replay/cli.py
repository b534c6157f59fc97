"""`cutover replay`: show what it would do and cost, or do it."""

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import click
import uvloop

from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import ErrorKind, UsageError
from harness.processes import keeping_what_is_loaded
from harness.store.seal import seal
from replay.gap_survey import survey
from replay.gaps import gap_json, gap_text
from replay.killswitch import heeding_signals
from replay.pacing import Pacing, parse_pacing
from replay.runner import Replay
from replay.session import Session, open_session
from replay.summary import plan_json, plan_text, summary_json, summary_text

__all__ = ["replay"]

SENT_ALL = 0
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
INCOMPLETE = 4
_ASKED = "asked to stop"


@click.command(epilog="Example: cutover replay captures.jsonl.zst --limit 200")
@click.argument("captures", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), help="Send only so many captures, spread over the operations.")
@click.option("--seed", type=int, default=1, show_default=True, help="Drives order of lanes and choice of repeats.")
@click.option("--repeat-share", type=click.FloatRange(0, 1), help="Share of captures whose control is sent twice.")
@click.option("--repeat-pairs", type=click.IntRange(min=0), default=0, help="At least so many an operation: 100 do.")
@click.option("--warm-up", type=click.IntRange(min=0), default=0, help="Send so many beforehand, never judged.")
@click.option("--repetitions", type=click.IntRange(min=1), default=1, show_default=True, help="How often each is sent.")
@click.option("--pace", default="at-once", show_default=True, help="at-once, recorded[:SPEED], constant:RATE, …")
@click.option("--max-gap", type=click.FloatRange(min=0), help="Cut recorded pauses to so many seconds.")
@click.option("--kind", type=click.Choice(["replay", "demo"]), default="replay", help="How the run is labelled.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="A note kept with the run; part of the plan's hash.")
@click.option("--plan", "gaps", is_flag=True, help="Show what the candidate could not do as it is, and both bills.")
@click.option("--allow-voice-create", is_flag=True, help="Let voices be made at Qwen; each costs money and is kept.")
@click.option("--live", is_flag=True, help="Send and spend; without it only the plan is shown.")
@click.option("--budget", type=click.FloatRange(min=0), help="The most this run may spend, in US dollars.")
@click.option("--budget-for", multiple=True, metavar="PROVIDER=USD", help="The most of it for one provider.")
@click.option("--confirm", metavar="HASH", help="The plan's hash, as the dry run shows it.")
@click.option("--resend-unknown", is_flag=True, help="Send again what was sent before a crash and never answered.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def replay(
    captures: Path,
    limit: int | None,
    seed: int,
    repeat_share: float | None,
    repeat_pairs: int,
    warm_up: int,
    repetitions: int,
    pace: str,
    max_gap: float | None,
    kind: str,
    label: tuple[str, ...],
    gaps: bool,
    allow_voice_create: bool,
    live: bool,
    budget: float | None,
    budget_for: tuple[str, ...],
    confirm: str | None,
    resend_unknown: bool,
    as_json: bool,
) -> int:
    """Send captured requests to both providers and keep what comes back.

    Shows the plan and what it can cost at most; nothing is sent without --live, --budget and the plan's --confirm
    hash. An interrupted run goes on when the same command is given again, and pays for nothing twice.
    """
    settings = _allowing(Settings.load(), allow_voice_create)
    pacing = _pacing(pace, seed=seed, max_gap_s=max_gap)

    async def gap() -> int:
        report = await survey(settings, captures, limit=limit, seed=seed, pacing=pacing, pace=pace, clock=SystemClock())
        click.echo(json.dumps(gap_json(report), indent=2) if as_json else gap_text(report))
        click.echo(f"Nothing was sent. Next: cutover replay {captures}", err=True)
        return SENT_ALL

    async def session() -> int:
        async with open_session(
            settings,
            captures,
            limit=limit,
            seed=seed,
            repeat_share=settings.replay.repeat_share if repeat_share is None else repeat_share,
            repeat_pairs=repeat_pairs,
            repetitions=repetitions,
            warm_up=warm_up,
            labels=_labels(label),
            clock=SystemClock(),
        ) as opened:
            if not live:
                click.echo(plan_json(opened) if as_json else plan_text(opened))
                _advise(opened, captures)
                return SENT_ALL
            _require_consent_to_spend(opened, budget, confirm)
            running = opened.replay(
                kind=kind,
                budget_usd=budget or 0.0,
                budgets_usd=_budgets(budget_for, opened),
                resend_unknown=resend_unknown,
                pacing=pacing,
            )
            with keeping_what_is_loaded():
                return await _send(opened, running, as_json=as_json)

    return uvloop.run(gap() if gaps else session())


def _allowing(settings: Settings, voice_creation: bool) -> Settings:
    """The settings, with voices allowed for this one command."""
    if not voice_creation:
        return settings
    qwen = settings.qwen.model_copy(update={"allow_voice_creation": True})
    return settings.model_copy(update={"qwen": qwen})


def _labels(pairs: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"--label {pair}: write it as KEY=VALUE")
        labels[key] = value
    return labels


def _budgets(pairs: tuple[str, ...], opened: Session) -> dict[str, float]:
    """Provider → dollars."""
    known = {target.provider for target in opened.plan.targets.values()}
    budgets = {}
    for pair in pairs:
        provider, _, usd = pair.partition("=")
        try:
            budgets[provider] = float(usd)
        except ValueError:
            budgets[provider] = -1.0
        if provider not in known or not 0 <= budgets[provider] < float("inf"):
            raise UsageError(f"--budget-for {pair}: write it as PROVIDER=USD with one of {', '.join(sorted(known))}")
    return budgets


def _pacing(text: str, *, seed: int, max_gap_s: float | None) -> Pacing:
    try:
        return parse_pacing(text, seed=seed, max_gap_s=max_gap_s)
    except ValueError as error:
        raise UsageError(f"--pace: {error}") from None


def _advise(opened: Session, captures: Path) -> None:
    click.echo(
        f"Nothing was sent. To send it: cutover replay {captures} … --live --budget DOLLARS "
        f"--confirm {opened.plan.confirmation}",
        err=True,
    )


def _require_consent_to_spend(opened: Session, budget: float | None, confirm: str | None) -> None:
    """Three keys to spending money: --live, a budget, and the hash of exactly this plan."""
    if budget is None:
        raise UsageError("--live needs --budget DOLLARS: the most this run may spend")
    if confirm is None:
        raise UsageError("--live needs --confirm HASH; run it without --live to see the plan and its hash")
    if confirm != opened.plan.confirmation:
        raise UsageError(
            f"--confirm {confirm} is not this plan's hash {opened.plan.confirmation}: captures, settings or prices "
            "have changed since; run it without --live and look again"
        )


async def _send(opened: Session, replay: AbstractAsyncContextManager[Replay], *, as_json: bool) -> int:
    stopped_because = await _run(replay)
    balance = seal(opened.run)
    click.echo(summary_json(opened.run, balance) if as_json else summary_text(opened.run, balance))
    refused = sum(counts[ErrorKind.BUDGET] for counts in balance.outcomes().values())
    if refused:
        click.echo(f"{refused} legs had no room in a budget; the same command with more of it sends them.", err=True)
    if stopped_because:
        click.echo(f"Stopped early: {stopped_because}. The same command goes on from here.", err=True)
        return INTERRUPTED if stopped_because == _ASKED else INCOMPLETE
    click.echo(f"Next: cutover extract {opened.run.id}", err=True)
    return SENT_ALL


async def _run(replay: AbstractAsyncContextManager[Replay]) -> str | None:
    """Why it was stopped early; None when it was not. Nothing of the replay outlives it: sealing needs the room."""
    async with replay as running:
        with heeding_signals(lambda: _ask_to_stop(running)):
            await running.run()
        return running.stopped_because


def _ask_to_stop(running: Replay) -> None:
    click.echo("\nStopping: calls under way are finished (again to end at once) …", err=True)
    running.stop(_ASKED)
