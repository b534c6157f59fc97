"""`cutover capture`: captures in, looked at, chosen from, passed on and deleted. `show` is here, the rest is near."""

import json
from pathlib import Path

import click

from harness.capture import capture_to_json
from harness.config import Settings
from harness.errors import UsageError
from replay.exporters.cli import export
from replay.importers.cli import import_
from replay.picking.cli import pick
from replay.picking.overview import overview_of, overview_text
from replay.sanitising.cli import purge, verify
from replay.sources import CaptureFile, read_captures

__all__ = ["capture"]


@click.group(epilog="Example: cutover capture import traffic_0.gor --out captures.jsonl.zst")
def capture() -> None:
    """Import, look at, check, choose, export and delete captured requests."""


@click.command(epilog="Example: cutover capture show captures.jsonl.zst")
@click.argument("captures", type=click.Path(path_type=Path))
@click.option("--id", "capture_id", help="Show this one capture whole, its words included.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def show(captures: Path, capture_id: str | None, as_json: bool) -> None:
    """What is in a file, in numbers: operations, languages, lengths, voices, outcomes; never a word of it."""
    source = read_captures(captures, quarantine=Settings.load().home / "quarantine")
    if capture_id is not None:
        click.echo(_one(source, capture_id))
        return
    overview = overview_of(source)
    click.echo(json.dumps(overview.facts(), indent=2) if as_json else overview_text(overview))
    if source.counts.quarantined:
        click.echo(f"{source.counts.quarantined} lines are no captures; reasons in {source.quarantine}", err=True)
    click.echo(f"Next: cutover capture pick {captures} --out nightly.jsonl.zst --limit 200", err=True)


def _one(source: CaptureFile, capture_id: str) -> str:
    for found in source:
        if found.id == capture_id:
            return json.dumps(json.loads(capture_to_json(found)), indent=2, ensure_ascii=False)
    raise UsageError(f"{source.path}: holds no capture {capture_id}")


for _command in (import_, show, verify, pick, export, purge):
    capture.add_command(_command)
