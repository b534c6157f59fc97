"""`cutover capture`: captures in, looked at, chosen from, passed on and deleted."""

import click

from replay.importers.cli import import_

__all__ = ["capture"]


@click.group(epilog="Example: cutover capture import traffic_0.gor --out captures.jsonl.zst")
def capture() -> None:
    """Import, look at, check, choose, export and delete captured requests."""


capture.add_command(import_)
