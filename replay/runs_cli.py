"""`cutover runs`: what runs there are, and their databases built anew."""

import json

import click

from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import StoreError
from harness.gateway.expiry import expire_live_runs, old_live_runs
from harness.run_argument import run_named
from harness.store.choosing import LATEST
from harness.store.compact import leftovers, remove
from harness.store.database import open_db
from harness.store.runs import Run, audio_store, list_runs
from harness.store.seal import seal
from harness.store.verify import problems

__all__ = ["runs"]

_ONE_RUN = """
    SELECT run.kind, run.status, run.planned,
           (SELECT decision FROM verdicts WHERE operation IS NULL) AS decision
    FROM run
"""


@click.group(epilog="Example: cutover runs list")
def runs() -> None:
    """List runs and rebuild their databases."""


@runs.command("list", epilog="Example: cutover runs list --json")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def list_(as_json: bool) -> None:
    """All runs, oldest first, with what was judged."""
    rows = [_facts(run) for run in list_runs(Settings.load().home)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['run']}  {row['kind'] or '-':8} {row['status']:12} {row['decision'] or 'not judged'}")
    if not rows:
        click.echo("No run yet. Next: cutover demo", err=True)


def _facts(run: Run) -> dict[str, object]:
    if not run.database.is_file():
        return {"run": run.id, "kind": None, "status": "not sealed", "planned": None, "decision": None}
    with open_db(run.database) as database:
        kind, status, planned, decision = database.execute(_ONE_RUN).fetchone() or (None, "empty", 0, None)
    return {"run": run.id, "kind": kind, "status": status, "planned": planned, "decision": decision}


@runs.command("verify", epilog="Example: cutover runs verify latest")
@click.argument("run", default=LATEST)
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def verify_(run: str, as_json: bool) -> int:
    """Check RUN whole: journal, audio, features, judgement and database, against one another.

    RUN is a run id, the path of a run, or `latest` (the default): the newest replay, sealed or not; a live one only
    where there is no replay.

    Exit status: 0 whole, 4 something is wrong.
    """
    home = Settings.load().home
    found = run_named(home, run, sealed=False)
    wrong = list(problems(found, audio_store(home)))
    if as_json:
        click.echo(json.dumps({"schema": 1, "run": found.id, "problems": wrong}, indent=2))
    else:
        click.echo("\n".join(wrong) or f"{found.id} is whole")
    click.echo(f"Next: cutover {'runs seal' if wrong else 'verdict'} {found.id}", err=True)
    return StoreError.exit_status if wrong else 0


@runs.command("seal", epilog="Example: cutover runs seal latest")
@click.argument("run", default=LATEST)
def seal_(run: str) -> None:
    """Build the database of RUN anew from its journal, features and judgement.

    RUN is a run id, the path of a run, or `latest` (the default): the newest replay; a live one only where there is no
    replay.
    """
    found = run_named(Settings.load().home, run, sealed=False)
    balance = seal(found)
    click.echo(str(found.database))
    click.echo(f"{balance.answered} of {balance.legs} legs. Next: cutover verdict {found.id}", err=True)


@runs.command("compact", epilog="Example: cutover runs compact --delete")
@click.option("--delete", is_flag=True, help="Delete them; without it they are only shown.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def compact_(delete: bool, as_json: bool) -> None:
    """Find files that take up room and belong to no run: audio that no journal names, and what kills left half written.

    Nothing younger than a day is touched, and nothing at all while a run is being written.
    """
    found = leftovers(Settings.load().home, now=SystemClock().now())
    size_bytes = remove(found) if delete else sum(leftover.size_bytes for leftover in found)
    if as_json:
        files = [{"path": str(each.path), "bytes": each.size_bytes, "why": each.why} for each in found]
        click.echo(json.dumps({"schema": 1, "deleted": delete, "bytes": size_bytes, "files": files}, indent=2))
        return
    for leftover in found:
        click.echo(f"{leftover.path}  {leftover.size_bytes} bytes  {leftover.why}")
    click.echo(f"{len(found)} files of {size_bytes / 1e6:.1f} MB {'deleted' if delete else 'found'}.")
    if found and not delete:
        click.echo("Next: cutover runs compact --delete", err=True)


@runs.command("purge", epilog="Example: cutover runs purge --older-than 7 --delete")
@click.option("--older-than", type=click.IntRange(1), metavar="DAYS", help="[default: gateway.shadow.keep_days]")
@click.option("--delete", is_flag=True, help="Delete them; without it they are only shown.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def purge_(older_than: int | None, delete: bool, as_json: bool) -> None:
    """Find shadow and canary runs that are old: they hold what callers said. The gateway deletes them by itself."""
    settings, now = Settings.load(), SystemClock().now()
    keep_days = older_than or settings.gateway.shadow.keep_days
    if delete:
        names, audios = expire_live_runs(settings.home, keep_days=keep_days, now=now)
    else:
        names, audios = [run.id for run in old_live_runs(settings.home, keep_days=keep_days, now=now)], 0
    if as_json:
        facts = {"schema": 1, "deleted": delete, "keep_days": keep_days, "runs": names, "audios": audios}
        click.echo(json.dumps(facts, indent=2))
        return
    for name in names:
        click.echo(name)
    click.echo(f"{len(names)} live runs older than {keep_days} days {'deleted' if delete else 'found'}.")
    if names and not delete:
        click.echo("Next: cutover runs purge --delete", err=True)
