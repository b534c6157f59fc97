"""`cutover capture verify` and `purge`: is everything in order, and what has to go."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from harness.capturing.identities import Pseudonyms
from harness.capturing.keys import IDENTITY_KEY, open_keys
from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import UsageError
from replay.sanitising.purging import Criteria, Purge, carry_out, plan_purge, runs_that_hold, write_proof
from replay.sanitising.verifying import Verification
from replay.sanitising.verifying import verify as verify_file
from replay.sources import read_captures

__all__ = ["purge", "verify"]

FOUND_PROBLEMS = 4
_SHOWN_PROBLEMS = 20


@click.command(epilog="Example: cutover capture verify captures.jsonl.zst")
@click.argument("captures", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def verify(captures: Path, as_json: bool) -> int:
    """Check every line, every recording (decrypted and hashed), every consent, and that no credential is in it.

    Exits with 4 when something is wrong. A missing consent is told and is no error: such clones are not replayed.
    """
    settings = Settings.load()
    source = read_captures(captures, quarantine=settings.home / "quarantine", keys=open_keys(settings))
    found = verify_file(source, now=SystemClock().now())
    click.echo(json.dumps(found.facts(), indent=2) if as_json else _text(captures, found))
    if found.problems:
        return FOUND_PROBLEMS
    click.echo(f"Next: cutover capture show {captures}", err=True)
    return 0


def _text(captures: Path, found: Verification) -> str:
    lines = [
        f"{captures}: {'in order' if not found.problems else f'{len(found.problems)} problems'}",
        f"  {found.lines:,} lines = {found.good:,} good + {found.quarantined:,} quarantined"
        f" + {found.skipped:,} skipped",
        f"  sha256 {found.sha256}",
        f"  recordings: {_counted(found.recordings)}",
        f"  consent of cloned voices: {_counted(found.consent)}",
    ]
    lines += [f"  {problem}" for problem in found.problems[:_SHOWN_PROBLEMS]]
    if len(found.problems) > _SHOWN_PROBLEMS:
        lines.append(f"  … and {len(found.problems) - _SHOWN_PROBLEMS} more")
    return "\n".join(lines)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


@click.command(epilog="Example: cutover capture purge captures.jsonl.zst --older-than 30d")
@click.argument("captures", type=click.Path(path_type=Path))
@click.option("--older-than", metavar="AGE", help="Captured longer ago than this, such as 30d or 12h.")
@click.option("--user", help="Of this caller, by the name that production knows; it is hashed here and not kept.")
@click.option("--user-key", metavar="HMAC", help="Of this caller, by the pseudonym in the captures.")
@click.option("--voice", metavar="HMAC", help="In this voice, by its name in the captures.")
@click.option("--yes", is_flag=True, help="Do it; without it only the count is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def purge(
    captures: Path,
    older_than: str | None,
    user: str | None,
    user_key: str | None,
    voice: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Take captures out of a file for good, and the recordings that only they spoke of.

    All conditions must hold together. The file is written anew, so that no byte of theirs stays in it; a line in
    purges.jsonl under the home folder says that it was done. Runs that hold words of them are named.
    """
    settings, clock = Settings.load(), SystemClock()
    keys = open_keys(settings)
    if user is not None:
        user_key = Pseudonyms(keys.key(IDENTITY_KEY)).of("user", user)
    before = clock.now() - _age(older_than) if older_than else None
    criteria = Criteria(captured_before=before, user_key=user_key, voice_id=voice)
    if criteria == Criteria():
        raise UsageError("purge needs --older-than, --user, --user-key or --voice; delete the file to purge all of it")
    source = read_captures(captures, quarantine=settings.home / "quarantine", keys=keys)
    planned = plan_purge(source, criteria)
    if yes:
        carry_out(source, criteria, planned)
        write_proof(settings.home / "purges.jsonl", captures, criteria, planned, at=clock.now())
    holding = runs_that_hold(settings.home, criteria)
    facts = {"file": str(captures), "done": yes, **_facts(planned), "runs": [folder.name for folder in holding]}
    click.echo(json.dumps(facts, indent=2) if as_json else _purge_text(facts))
    if planned.unreadable:
        click.echo(f"Recordings stay: {', '.join(planned.unreadable)} beside it cannot be read", err=True)
    for folder in holding:
        click.echo(f"Run {folder.name} holds words of them as well, and can only go whole: rm -r {folder}", err=True)
    _advise(captures, yes)


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,5})([hd])", text)
    if not match:
        raise UsageError(f"--older-than {text}: write it like 30d or 12h")
    return timedelta(**{"hours" if match[2] == "h" else "days": int(match[1])})


def _facts(planned: Purge) -> dict[str, Any]:
    return {
        "captures": planned.captures,
        "kept": planned.kept,
        "bad_lines": planned.bad_lines,
        "recordings": len(planned.recordings),
    }


def _purge_text(facts: dict[str, Any]) -> str:
    verb = "went" if facts["done"] else "would go"
    bad = f", and {facts['bad_lines']} lines that are no captures" if facts["bad_lines"] else ""
    return (
        f"{facts['file']}: {facts['captures']:,} captures {verb} with {facts['recordings']} recordings{bad}; "
        f"{facts['kept']:,} stay"
    )


def _advise(captures: Path, done: bool) -> None:
    if done:
        click.echo(f"Copies are other files. Next: cutover capture verify {captures}", err=True)
    else:
        click.echo("Nothing was changed. To do it: the same command with --yes", err=True)
