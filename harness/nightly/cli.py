"""`cutover nightly`: one night from picking to telling, the same by hand, by cron and in any CI."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import click

from harness import processes
from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import HarnessError, UsageError
from harness.gateway.expiry import expire_live_runs
from harness.nightly.epochs import Gathered, gather, rules_sha256
from harness.nightly.night import Night, locked, nights
from harness.nightly.notices import NotTold, notify
from harness.nightly.picking import pick, seed_of
from harness.nightly.retention import remove_old
from harness.store.runs import find_run, list_runs

__all__ = ["nightly"]

_DECIDED: Final = (0, 1, 3, 4)  # exit statuses of a verdict
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command(epilog="Example: cutover nightly captures.jsonl.zst --limit 200 --budget 5")
@click.argument("captures", type=click.Path(path_type=Path), required=False)
@click.option("--limit", type=click.IntRange(min=1), help="Captures to replay [default: setting nightly.limit].")
@click.option("--budget", type=click.FloatRange(min=0), help="The most the night may spend, in US dollars.")
@click.option("--night", "name", metavar="NAME", help="Which night [default: one left broken, else today in UTC].")
@click.option("--new", is_flag=True, help="Leave a broken night as it is and begin today's.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where the reports go.")
@click.option("--sign-key", type=_FILE, help="Sign the decision record with this Ed25519 private key (PEM).")
@click.option("--comment", metavar="OWNER/REPO#NUMBER", help="Also keep the verdict as a comment of a pull request.")
def nightly(
    captures: Path | None,
    limit: int | None,
    budget: float | None,
    name: str | None,
    new: bool,
    out: Path | None,
    sign_key: Path | None,
    comment: str | None,
) -> int:
    """Pick captures, replay them under a budget, measure, judge with all nights of the epoch, publish and tell.

    Two never run at once. A night that was broken off goes on where it was and pays for nothing twice; a night that
    is over only says its verdict again.

    Exit status: 0 go, 1 no-go, 2 wrong use, 3 inconclusive, 4 invalid or our own fault.
    """
    settings = Settings.load()
    with locked(settings.home):
        night = _night(settings.home, name, new=new)
        if night.status is not None and night.told:
            click.echo(f"night {night.name} is over; its reports are in {out or night.folder}", err=True)
            return night.status
        click.echo(f"night {night.name}", err=True)
        status = pick(night, settings, captures, limit) or _replay(night, settings, budget) or _extract(night)
        if status:
            return status
        return _finish(night, settings, out or night.folder, sign_key, comment)


def _night(home: Path, name: str | None, *, new: bool) -> Night:
    """The night to work on: the one that is named, the latest that is broken, or today's."""
    if name is not None and (not name or Path(name).name != name or name.startswith(".")):
        raise UsageError(f"--night {name}: a name is one folder, for example 2026-11-23")
    known = nights(home)
    if name is None and not new and known and known[-1].status is None:
        return known[-1]
    return Night.at(home / "nights" / (name or f"{SystemClock().now():%Y-%m-%d}"))


def _replay(night: Night, settings: Settings, budget: float | None) -> int:
    if night.run is not None:
        return 0
    dollars = budget if budget is not None else settings.nightly.budget_usd
    if dollars is None:
        raise UsageError("how much may it spend? give --budget DOLLARS, or set CUTOVER_NIGHTLY__BUDGET_USD")
    seed, label = str(seed_of(night)), f"night={night.name}"
    arguments = ["replay", str(night.captures), "--seed", seed, "--label", label, "--json"]
    planned = processes.said(arguments)
    if planned.status:
        return planned.status
    night.confirm = str(json.loads(planned.output)["confirm"])
    night.save()
    sent = processes.said([*arguments, "--live", "--budget", f"{dollars:g}", "--confirm", night.confirm])
    if sent.status:
        return sent.status
    night.run = str(json.loads(sent.output)["run"])
    night.save()
    return 0


def _extract(night: Night) -> int:
    if night.extracted or night.run is None:
        return 0
    status = processes.run(["extract", night.run]).status
    night.extracted = status == 0
    night.save()
    return status


def _finish(night: Night, settings: Settings, folder: Path, sign_key: Path | None, comment: str | None) -> int:
    """Judge, publish, tell, clear away."""
    gathered = _gather(night, settings)
    for earlier, why in gathered.left_out.items():
        click.echo(f"new epoch: night {earlier} is left out, {why}", err=True)
    status = _judge(night, settings, gathered, folder, sign_key, comment)
    if status not in _DECIDED:
        return status
    night.status = status
    night.save()
    _tell(night, settings, folder)
    removed = remove_old(
        settings.home,
        nights(settings.home),
        keep_days=settings.nightly.keep_days,
        now=SystemClock().now(),
        keep=gathered.runs,
    )
    if removed.nights:
        click.echo(f"removed {len(removed.nights)} old nights and {removed.audios} audios", err=True)
    keep_days = settings.gateway.shadow.keep_days
    live = expire_live_runs(settings.home, keep_days=keep_days, now=SystemClock().now())
    if live.runs:
        click.echo(f"removed {len(live.runs)} live runs older than {keep_days} days", err=True)
    click.echo(f"next: open {folder / 'verdict.html'}", err=True)
    return status


def _gather(night: Night, settings: Settings) -> Gathered:
    runs = {run.id: run for run in list_runs(settings.home)}
    judged = [(each, runs[each.run]) for each in nights(settings.home) if each.run in runs and each.status is not None]
    return gather(night, find_run(settings.home, night.run or ""), rules_sha256(settings), judged)


def _judge(
    night: Night, settings: Settings, gathered: Gathered, folder: Path, sign_key: Path | None, comment: str | None
) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    files = {"html": "verdict.html", "junit": "verdict.xml", "openmetrics": "verdict.prom", "record": "decision.json"}
    arguments = ["verdict", *gathered.runs, "--thresholds", str(settings.thresholds), "--json"]
    arguments += [part for option, file in files.items() for part in (f"--{option}", str(folder / file))]
    arguments += ["--comment-file", str(folder / "verdict.md")]
    arguments += ["--sign-key", str(sign_key)] if sign_key else []
    arguments += ["--comment", comment] if comment else []
    night.rules_sha256, night.judged = rules_sha256(settings), gathered.runs
    ended = processes.said(arguments)
    if ended.status in _DECIDED and ended.output:
        (folder / "verdict.json").write_text(ended.output, encoding="utf-8")
        view: dict[str, Any] = json.loads(ended.output)
        click.echo(f"{view['decision'].upper()}  {view['reason']}")
        return ended.status
    return ended.status or HarnessError.exit_status


def _tell(night: Night, settings: Settings, folder: Path) -> None:
    """Once; a notice that does not arrive changes no verdict and is tried again by the same command."""
    facts = {"night": night.name, "run": night.run, "exit_status": night.status}
    markdown = (folder / "verdict.md").read_text(encoding="utf-8")
    try:
        asyncio.run(notify(settings, markdown, facts, clock=SystemClock()))
    except NotTold as error:
        click.echo(f"cutover: {error}", err=True)
        return
    night.told = True
    night.save()
