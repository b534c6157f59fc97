"""`cutover gate`: the security gate that must pass before the integration counts as done.

`run` judges a checkout and writes a record, `show` checks a record, `selftest` proves what the gate would catch.
"""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from harness.clock import SystemClock
from harness.config import PROJECT, Settings
from harness.errors import HarnessError
from harness.security.catalogue import Catalogue, load_catalogue
from harness.security.check import Profile
from harness.security.mutants import Mutant, Ruling, load_mutants, rule_on, scratch_copy
from harness.security.outcome import GateBroken, Outcome, Status
from harness.security.record import Record, read_record, record_name, records_folder, write_record
from harness.security.report import markdown, terminal_lines
from harness.security.running import Run, run_gate, run_parts

__all__ = ["gate"]

_only = click.option(
    "--only", multiple=True, metavar="ID", help="Only this check, such as S8-07; may be given several times."
)
_workers = click.option(
    "--workers", default="auto", show_default=True, metavar="N|auto", help="Processes that run tests side by side."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")


@click.group(epilog="Example: cutover gate run")
def gate() -> None:
    """The security gate: run its checks, look at a record of them, and let the gate prove itself."""


@gate.command(epilog="Example: cutover gate run --only S8-07")
@click.option(
    "--profile",
    type=click.Choice([each.value for each in Profile]),
    default=Profile.CI.value,
    show_default=True,
    help="ci: minutes, with every change. release: the long forms as well.",
)
@_only
@_workers
@click.option("--out", type=click.Path(path_type=Path), help="Where the record goes [default: below CUTOVER_HOME].")
@click.option("--md", type=click.Path(path_type=Path), help="Write the record as Markdown, too.")
@_json
def run(profile: str, only: tuple[str, ...], workers: str, out: Path | None, md: Path | None, as_json: bool) -> int:
    """Judge this checkout; a record of all checks is kept below CUTOVER_HOME, where the rollout finds it.

    Exit status: 0 passed, 1 a check failed, 2 one that decides was not run, 3 the gate itself is broken.
    """
    home, clock = Settings.load().home, SystemClock()
    path = out or records_folder(home) / record_name(clock.now())
    count = len(load_catalogue(PROJECT).chosen(only))
    click.echo(f"{count} checks of profile {profile}; this takes minutes for all of them", err=True)
    with tempfile.TemporaryDirectory(prefix="cutover-gate-") as scratch:
        kept = out is not None or not only  # a record of some checks opens no rollout
        folder = path.with_suffix("") if kept else Path(scratch)
        wanted = Run(root=PROJECT, folder=folder, profile=Profile(profile), only=only, workers=workers)
        record = _unbroken(wanted, clock)
        digest = write_record(path if kept else folder / "gate.json", record)
    if md:
        md.write_text(markdown(record, digest), encoding="utf-8")
    _say(record, digest, as_json=as_json)
    click.echo(f"Next: {f'cutover gate show {path}' if kept else 'cutover gate run'}", err=True)
    return record.exit_status


def _unbroken(wanted: Run, clock: SystemClock) -> Record:
    """A run of the gate; whatever breaks it is its own status, so that nobody takes it for a verdict."""
    try:
        return run_gate(wanted, clock=clock)
    except HarnessError:
        raise
    except Exception as error:
        raise GateBroken(
            f"the gate itself broke ({type(error).__name__}: {error}); mend it and run it again"
        ) from error


@gate.command(epilog="Example: cutover gate show data/local/security/gate.json")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--md", is_flag=True, help="Print it as Markdown.")
@_json
def show(file: Path, md: bool, as_json: bool) -> int:
    """Check a record against its digest and say what it says. Exit status: that of the run."""
    record, digest = read_record(file)
    if md:
        click.echo(markdown(record, digest))
    else:
        _say(record, digest, as_json=as_json)
    click.echo("The digest matches. Next: cutover rollout status", err=True)
    return record.exit_status


def _say(record: Record, digest: str, *, as_json: bool) -> None:
    if as_json:
        status = {outcome.id: outcome.status.value for outcome in record.checks}
        row = {"schema": 1, "digest": digest, "exit_status": record.exit_status, "summary": dict(record.summary)}
        click.echo(json.dumps({**row, "profile": record.profile.value, "checks": status}, indent=2))
        return
    for line in terminal_lines(record):
        click.echo(line)


@gate.command(epilog="Example: cutover gate selftest --only S8-22")
@_only
@_workers
@_json
def selftest(only: tuple[str, ...], workers: str, as_json: bool) -> int:
    """Plant a known-bad change for each check in a copy of this checkout, and demand that the check fails.

    Exit status: 0 every change was caught, 1 one was not, 3 the gate itself is broken.
    """
    catalogue = load_catalogue(PROJECT)
    checks = catalogue.chosen(only)
    mutants = [each for each in load_mutants(PROJECT, catalogue) if each.check in {check.id for check in checks}]
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="cutover-gate-") as scratch:
        folder = Path(scratch)
        with scratch_copy(PROJECT, folder) as copy:
            wanted = Run(root=copy, folder=folder / "evidence", workers=workers)
            click.echo(f"{len(checks)} checks run once without any mutant, then {len(mutants)} mutants", err=True)
            before = {outcome.id: outcome for outcome in run_parts(wanted, checks, clock=clock)}
            for outcome in before.values():
                if outcome.status is not Status.PASS:
                    said = f"{outcome.id} {outcome.status} without any mutant, so that nothing can be said of it"
                    click.echo(f"{said}: {outcome.reason}", err=True)
            rulings = list(_rulings(mutants, before, wanted, catalogue, clock))
    caught = sum(ruling.is_caught for ruling in rulings)
    if as_json:
        click.echo(json.dumps({"schema": 1, "caught": caught, "mutants": [_row(each) for each in rulings]}, indent=2))
    click.echo(f"{caught} of {len(rulings)} mutants were caught. Next: cutover gate run", err=True)
    return 0 if caught == len(rulings) else 1


def _rulings(
    mutants: Iterable[Mutant], before: dict[str, Outcome], wanted: Run, catalogue: Catalogue, clock: SystemClock
) -> Iterable[Ruling]:
    """Each mutant's ruling, told as it comes; their tests are few, so one process is enough."""
    alone = replace(wanted, workers="0")
    for mutant in mutants:
        ruling = rule_on(mutant, before[mutant.check], alone, catalogue, clock=clock)
        verdict = "caught" if ruling.is_caught else f"NOT CAUGHT ({ruling.before.status} -> {ruling.after.status})"
        click.echo(f"{mutant.check} {verdict}: {mutant.what}", err=True)
        yield ruling


def _row(ruling: Ruling) -> dict[str, object]:
    return {
        "check": ruling.mutant.check,
        "what": ruling.mutant.what,
        "caught": ruling.is_caught,
        "before": ruling.before.status.value,
        "after": ruling.after.status.value,
        "reason": ruling.after.reason if ruling.is_caught else f"{ruling.before.reason} -> {ruling.after.reason}",
    }
