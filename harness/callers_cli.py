"""`cutover callers`: who may call the gateway. A key is printed once, when it is made; only its hash is kept."""

import json

import click

from harness.clock import SystemClock
from harness.config import Settings
from harness.flags.watched import read_small_file
from harness.gateway.caller_file import CallerBook, add_key, parse_callers, remove_key
from harness.gateway.callers import callers_path

__all__ = ["callers"]


@click.group(epilog="Example: cutover callers list")
def callers() -> None:
    """Give API keys for the gateway out, and take them back; a running gateway sees it within a second."""


@callers.command("add", epilog="Example: cutover callers add app")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def add_(name: str, as_json: bool) -> None:
    """Make a key for the caller NAME; one who has keys already can use the new one as well as the old ones."""
    settings = Settings.load()
    path = callers_path(settings)
    made, key = add_key(path, name, now=SystemClock().now())
    if as_json:
        click.echo(json.dumps({"schema": 1, "caller": made.caller, "id": made.id, "key": key}))
    else:
        click.echo(key)
    click.echo(
        f"{made.id} for {made.caller}, its hash is in {path}. The key is shown this once: keep it where secrets are "
        "kept. Next: cutover serve",
        err=True,
    )


@callers.command("list", epilog="Example: cutover callers list --json")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def list_(as_json: bool) -> None:
    """Every key by its id, whose it is and when it was made."""
    book = _book(Settings.load())
    if as_json:
        rows = [{"caller": key.caller, "id": key.id, "made_at": key.made_at.isoformat()} for key in book.keys]
        click.echo(json.dumps({"schema": 1, "keys": rows}, indent=2))
    else:
        for key in book.keys:
            click.echo(f"{key.id:14} {key.made_at:%Y-%m-%d} {key.caller}")
    click.echo(f"{len(book.keys)} keys. Next: cutover callers {'add NAME' if not book.keys else 'revoke ID'}", err=True)


@callers.command("revoke", epilog="Example: cutover callers revoke k-3f9a01c2")
@click.argument("key_id", metavar="ID")
def revoke_(key_id: str) -> None:
    """Take the key with this ID back; what its caller made stays with the caller."""
    remove_key(callers_path(Settings.load()), key_id)
    click.echo(f"{key_id} is revoked. Next: cutover callers list", err=True)


def _book(settings: Settings) -> CallerBook:
    path = callers_path(settings)
    if not path.exists():
        return CallerBook()
    return parse_callers(read_small_file(path), name=str(path), base=settings.gateway.limits)
