"""`cutover replay`: show what it would do and cost, or do it."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import click
import uvloop

from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import UsageError
from harness.store.seal import seal
from replay.gaps import gap_json, gap_text
from replay.pacing import AsRecorded, Pacing, parse_pacing
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
@click.option("--repetitions", type=click.IntRange(min=1), default=1, show_default=True, help="How often each is sent.")
@click.option("--pace", default="at-once", show_default=True, help="at-once, recorded[:SPEED], constant:RATE, …")
@click.option("--max-gap", type=click.FloatRange(min=0), help="Cut recorded pauses to so many seconds.")
@click.option("--kind", type=click.Choice(["replay", "demo"]), default="replay", help="How the run is labelled.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="A note kept with the run; part of the plan's hash.")
@click.option("--plan", "gaps", is_flag=True, help="Show what the candidate could not do as it is, and both bills.")
@click.option("--live", is_flag=True, help="Send and spend; without it only the plan is shown.")
@click.option("--budget", type=click.FloatRange(min=0), help="The most this run may spend, in US dollars.")
@click.option("--confirm", metavar="HASH", help="The plan's hash, as the dry run shows it.")
@click.option("--resend-unknown", is_flag=True, help="Send again what was sent before a crash and never answered.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def replay(
    captures: Path,
    limit: int | None,
    seed: int,
    repeat_share: float | None,
    repetitions: int,
    pace: str,
    max_gap: float | None,
    kind: str,
    label: tuple[str, ...],
    gaps: bool,
    live: bool,
    budget: float | None,
    confirm: str | None,
    resend_unknown: bool,
    as_json: bool,
) -> int:
    """Send captured requests to both providers and keep what comes back.

    Shows the plan and what it can cost at most; nothing is sent without --live, --budget and the plan's --confirm
    hash. An interrupted run goes on when the same command is given again, and pays for nothing twice.
    """
    settings = Settings.load()
    pacing = _pacing(pace, seed=seed, max_gap_s=max_gap)

    async def session() -> int:
        async with open_session(
            settings,
            captures,
            limit=limit,
            seed=seed,
            repeat_share=settings.replay.repeat_share if repeat_share is None else repeat_share,
            repetitions=repetitions,
            labels=_labels(label),
            clock=SystemClock(),
        ) as opened:
            if gaps:
                report = await opened.gaps(speed=pacing.speed if isinstance(pacing, AsRecorded) else 1.0)
                click.echo(json.dumps(gap_json(report), indent=2) if as_json else gap_text(report))
                return SENT_ALL
            if not live:
                click.echo(plan_json(opened) if as_json else plan_text(opened))
                _advise(opened, captures)
                return SENT_ALL
            _require_consent_to_spend(opened, budget, confirm)
            running = opened.replay(kind=kind, budget_usd=budget or 0.0, resend_unknown=resend_unknown, pacing=pacing)
            return await _send(opened, running, as_json=as_json)

    return uvloop.run(session())


def _labels(pairs: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"--label {pair}: write it as KEY=VALUE")
        labels[key] = value
    return labels


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
    async with replay as running:
        with _stopping_on_signals(running.stop):
            ledger = await running.run()
    seal(opened.run)
    click.echo(summary_json(opened.run, ledger) if as_json else summary_text(opened.run, ledger))
    if running.stopped_because:
        click.echo(f"Stopped early: {running.stopped_because}. The same command goes on from here.", err=True)
        return INTERRUPTED if running.stopped_because == _ASKED else INCOMPLETE
    click.echo(f"Next: cutover extract {opened.run.id}", err=True)
    return SENT_ALL


@contextmanager
def _stopping_on_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """The first SIGINT or SIGTERM lets calls under way finish; a second one ends at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked and task is not None:
            task.cancel()
        asked = True
        click.echo("\nStopping: calls under way are finished (again to end at once) …", err=True)
        stop(_ASKED)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
