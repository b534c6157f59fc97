"""`cutover rollout`: look at the rollout, move it on evidence, and take Qwen back at any time.

Every change is compare-and-set on the version that was looked at, and is logged with who and why before it counts.
"""

import asyncio
import getpass
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter

from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import UsageError
from harness.rollout.backtest import Backtest, backtest
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.evidence import Evidence
from harness.rollout.gathering import Words
from harness.rollout.places import drills_file, spool_folder, state_folder
from harness.rollout.review import Action, Ruling, review
from harness.rollout.rules import load_rules
from harness.rollout.spool import stored_outcomes
from harness.rollout.stage import Rollout, Rollouts
from harness.rollout.state_file import StateFile, Step
from harness.rollout.stored_run import run_outcomes
from harness.rollout.transitions import hold as hold_step
from harness.rollout.transitions import promote as promote_step
from harness.rollout.transitions import resume as resume_step
from harness.rollout.transitions import roll_back
from harness.rollout.transitions import start as start_step
from harness.rollout_desk import Desk
from harness.run_argument import run_named
from harness.speech import Operation

__all__ = ["rollout"]

F = TypeVar("F", bound=Callable[..., Any])
_EXIT = {Action.PROMOTE: 0, Action.WAIT: 3, Action.HOLD: 3, Action.FREEZE: 3, Action.ROLL_BACK: 1}
_OPERATION = click.Choice([each.value for each in Operation])
_operations = click.argument("operations", nargs=-1, type=_OPERATION, metavar="[OPERATION]...")
_who = click.option("--who", default=getpass.getuser, help="Who does it, for the log [default: your login].")
_why = click.option("--why", required=True, help="Why, for whoever reads the log at night.")
_json = click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")


def _words(command: F) -> F:
    """The options by which people say what no program knows."""
    for option in (
        click.option("--signed-by", metavar="NAME", help="The decision-maker who signs (50 % to 100 %)."),
        click.option("--tickets-reviewed-by", metavar="NAME", help="Who looked at support tickets (50 % to 100 %)."),
        click.option(
            "--security-gate",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The record of `cutover gate run` that speaks for it [default: the newest below CUTOVER_HOME].",
        ),
    ):
        command = option(command)
    return command


@click.group(epilog="Example: cutover rollout status")
def rollout() -> None:
    """Where the rollout stands, what the next step lacks, and every step forward or back."""


@rollout.command(epilog="Example: cutover rollout status")
@_json
def status(as_json: bool) -> None:
    """Each operation's stage and share, and what speaks against the next step; nothing is sent."""
    desk = Desk.open()
    rows = [desk.row(operation) for operation in Operation]
    if as_json:
        click.echo(json.dumps({"schema": 1, "version": desk.rollouts.version, "operations": rows}, indent=2))
        return
    click.echo(f"version {desk.rollouts.version}, kill switch {desk.switch.reason() or 'off'}")
    for row in rows:
        since = f" since {row['since'][:16]} UTC" if row["since"] else ""
        share = f"{row['share_bp'] / 100:g} % of callers get Qwen (flag {row['flag']})"
        click.echo(f"{row['operation']:9} {row['name']}{since}: {share}. {row['reason'] or ''}")
        for line in row["missing"]:
            click.echo(f"          - {line}")
    click.echo("Next: cutover rollout promote OPERATION --approved-by NAME", err=True)


@rollout.command(epilog="Example: cutover rollout start generate --epoch 4f21c9 --why 'the night was a go'")
@_operations
@click.option("--epoch", required=True, help="The evidence epoch that `cutover verdict --json` prints.")
@_why
@_who
def start(operations: tuple[str, ...], epoch: str, why: str, who: str) -> None:
    """Begin in SHADOW, or anew after a rollback; without OPERATION all three."""
    desk = Desk.open()
    step = partial(start_step, epoch=desk.whole_epoch(epoch), now=desk.clock.now(), why=why)
    _change(desk, step, operations, who=who, why=why)


@rollout.command(epilog="Example: cutover rollout promote generate --approved-by anna")
@click.argument("operation", type=_OPERATION)
@click.option("--approved-by", required=True, metavar="NAME", help="Who takes the responsibility.")
@_words
@_who
@click.option("--dry-run", is_flag=True, help="Say what is missing and change nothing.")
def promote(operation: str, approved_by: str, who: str, dry_run: bool, **words: Any) -> int:
    """Go to the next stage, if all that it asks for is there; otherwise print what is missing.

    Exit status: 0 promoted, 1 the evidence is against it, 3 something is missing.
    """
    desk = Desk.open()
    return _promote(desk, Operation(operation), Words(approved_by=approved_by, **words), who=who, dry_run=dry_run)


def _promote(desk: Desk, operation: Operation, words: Words, *, who: str, dry_run: bool) -> int:
    rollout, evidence = desk.rollout(operation), desk.evidence(operation, words, ask_legacy=True)
    now = desk.clock.now()
    ruling = review(rollout, evidence, now)
    if ruling.action is not Action.PROMOTE or dry_run:
        return _say_ruling(operation, rollout, ruling)
    facts = {"evidence": TypeAdapter(Evidence).dump_python(evidence, mode="json")}

    def step(before: Rollout | None) -> Rollout | None:
        return before and promote_step(before, evidence, now=now)

    why = f"{'; '.join(ruling.reasons)}, approved by {words.approved_by}"
    _change(desk, step, (operation.value,), who=who, why=why, facts=facts)
    return 0


def _say_ruling(operation: Operation, rollout: Rollout, ruling: Ruling) -> int:
    to = f" to {ruling.to}" if ruling.to else ""
    click.echo(f"{operation} at {rollout.name}: {ruling.action}{to}")
    for reason in ruling.reasons:
        click.echo(f"- {reason}")
    return _EXIT[ruling.action]


@rollout.command(epilog="Example: cutover rollout hold generate --why 'release on Friday'")
@_operations
@_why
@_who
def hold(operations: tuple[str, ...], why: str, who: str) -> None:
    """Keep every share as it is; without OPERATION all that have begun."""
    _change(Desk.open(), lambda before: before and hold_step(before, why=why), operations, who=who, why=why)


@rollout.command(epilog="Example: cutover rollout resume generate --why 'legacy is well again'")
@_operations
@_why
@_who
def resume(operations: tuple[str, ...], why: str, who: str) -> None:
    """Let what is held or frozen go on."""
    desk = Desk.open()
    now = desk.clock.now()
    _change(desk, lambda before: before and resume_step(before, now=now, why=why), operations, who=who, why=why)


@rollout.command(epilog="Example: cutover rollout rollback generate --why 'listeners complain'")
@_operations
@_why
@_who
def rollback(operations: tuple[str, ...], why: str, who: str) -> None:
    """Nobody gets Qwen any more, until a person starts anew with new evidence."""
    desk = Desk.open()
    now = desk.clock.now()

    def step(before: Rollout | None) -> Rollout | None:
        return before and roll_back(before, now=now, why=why, forced=True)

    # Whatever the state is by now: a way back must not fail because somebody else moved meanwhile.
    _change(desk, step, operations, who=who, why=why, expected=None)


@rollout.command(epilog="Example: cutover rollout kill --why 'noise in every answer'")
@_why
@_who
def kill(why: str, who: str) -> None:
    """Cut Qwen off at once, for every process; needs neither gateway nor state."""
    desk = Desk.open()
    desk.switch.engage(who=who, why=why, at=desk.clock.now())
    click.echo(f"Qwen is cut off by {desk.switch.path}. Next: cutover rollout status", err=True)


@rollout.command(epilog="Example: cutover rollout unkill")
def unkill() -> int:
    """Take the kill switch back; shares are what flags and rollout say."""
    desk = Desk.open()
    lifted = desk.switch.lift()
    reason = desk.switch.reason()
    if reason is not None:
        click.echo(f"Qwen is still cut off by {reason}: take it away where it was set", err=True)
        return 1
    click.echo(f"{'Lifted' if lifted else 'It was not on'}. Next: cutover rollout status", err=True)
    return 0


@rollout.command(epilog="Example: cutover rollout drill --local")
@click.option("--local", is_flag=True, help="On stand-ins and a gateway of its own; before the first canary.")
@click.option("--url", help="The gateway to rehearse on [default: by the settings].")
@click.option("--voice", default="Ryan", show_default=True, help="A voice that both providers know.")
@click.option("--load", "load_run", metavar="RUN", help="Judge this replay instead: did legacy carry all callers?")
@click.option("--per-minute", type=click.IntRange(1), help="With --load: how many  [default: as the spool knows].")
@_who
def drill(local: bool, url: str | None, voice: str, load_run: str | None, per_minute: int | None, who: str) -> int:
    """Throw the kill switch under traffic, see everybody answered and nobody by Qwen, and lift it again.

    Takes less than a minute. On a gateway that serves callers they get legacy for some seconds. With --load nothing is
    sent: a replay with legacy in its lanes, at the pace of the busiest minute, is the drill.
    """
    desk = Desk.open()
    kind = DrillKind.LOAD if load_run else DrillKind.ROLLBACK
    if load_run:
        done = desk.load_drill(run_named(desk.settings.home, load_run), per_minute)
    else:
        done = desk.drill(url, local=local, voice=voice, who=who)
    DrillBook(drills_file(desk.settings.home), clock=desk.clock).add(kind, done, who=who)
    click.echo(f"{'passed' if done.passed else 'FAILED'}: {done.detail}")
    return 0 if done.passed else 1


@rollout.command("backtest", epilog="Example: cutover rollout backtest --run latest")
@click.option("--run", "run_name", help="Outcomes of a sealed run [default: what the gateway's spool holds].")
@click.option("--rules", type=click.Path(path_type=Path), help="Rules to try [default: those in force].")
@_json
def backtest_(run_name: str | None, rules: Path | None, as_json: bool) -> None:
    """When the rules would have tripped on recorded traffic; nothing is changed.

    --run takes a run id, the path of a run, or `latest`: the newest sealed replay; a live one only where there is no
    replay. Give the id of a live run for what the gateway kept.
    """
    settings = Settings.load()
    loaded = load_rules(rules or settings.rollout_rules)
    if run_name:
        result = backtest(run_outcomes(run_named(settings.home, run_name).database, loaded.audio), loaded)
    else:
        result = backtest(stored_outcomes(spool_folder(settings.home)), loaded)
    if as_json:
        click.echo(json.dumps({"schema": 1, **TypeAdapter(Backtest).dump_python(result, mode="json")}, indent=2))
        return
    click.echo(f"{result.outcomes} outcomes, {result.withheld} calls an open breaker would have withheld")
    for opening in result.openings:
        click.echo(f"breaker {opening.operation} {opening.lane} opens at call {opening.request}: {opening.reason}")
    for operation, first in result.first.items():
        spared = f"{first.failed_before} failed before, {first.failed_after} would have been spared"
        click.echo(f"{operation} rolls back at call {first.request} by {first.trip.trigger}: {spared}")
    if not result.trips:
        click.echo("no trigger would have fired")


@rollout.command(epilog="Example: cutover rollout retire --check")
@click.option("--check", is_flag=True, help="Only list what still depends on legacy, and the steps that remove it.")
@click.option("--approved-by", metavar="NAME", help="Who takes the responsibility.")
@_words
@_who
@_json
def retire(check: bool, approved_by: str | None, who: str, as_json: bool, **words: Any) -> int:
    """Let legacy go, once nothing depends on it. Exit status: 0 nothing does, 3 something does."""
    desk = Desk.open()
    left = desk.dependencies()
    if as_json:
        rows = [{"what": each.what, "remedy": each.remedy} for each in left]
        click.echo(json.dumps({"schema": 1, "dependencies": rows, "steps": list(desk.retirement_steps)}, indent=2))
    else:
        for each in left:
            click.echo(f"- {each.what} -> {each.remedy}")
        click.echo(f"{len(left)} things still depend on Modal. Then, in this order:")
        for number, step in enumerate(desk.retirement_steps, start=1):
            click.echo(f"  {number}. {step}")
    if check or left:
        return 3 if left else 0
    if not approved_by:
        raise UsageError("retiring legacy needs a name: --approved-by NAME, or look with --check")
    said = Words(approved_by=approved_by, **words)
    return max(_promote(desk, operation, said, who=who, dry_run=False) for operation in desk.not_retired)


def _change(
    desk: Desk,
    step: Step,
    names: tuple[str, ...],
    *,
    who: str,
    why: str,
    expected: int | None = -1,
    facts: dict[str, object] | None = None,
) -> None:
    """Make a change on the version that was looked at, and say what stands now."""
    operations = [Operation(name) for name in names] or list(Operation)
    state = StateFile(state_folder(desk.settings.home), clock=SystemClock())
    seen = desk.rollouts.version if expected == -1 else expected
    after = asyncio.run(state.change(step, operations=operations, who=who, why=why, expected=seen, facts=facts or {}))
    _say(desk.rollouts, after, operations)


def _say(before: Rollouts, after: Rollouts, operations: list[Operation]) -> None:
    for operation in operations:
        now = after.of.get(operation)
        was = before.of.get(operation)
        if now is None:
            click.echo(f"{operation}: not begun")
        else:
            click.echo(f"{operation}: {was.name if was else 'not begun'} -> {now.name}")
    click.echo("Next: cutover rollout status", err=True)
