"""The run that somebody names on the command line; what they should know of the choice goes to stderr."""

from pathlib import Path

import click

from harness.store.choosing import chosen_run
from harness.store.runs import Run

__all__ = ["run_named"]


def run_named(home: Path, name: str, *, kind: str | None = None, sealed: bool = True) -> Run:
    """The run that `name` means, as `chosen_run` finds it.

    Raises:
        UsageError: There is no such run; says which command makes one.
    """
    chosen = chosen_run(home, name, kind=kind, sealed=sealed)
    for note in chosen.notes:
        click.echo(note, err=True)
    return chosen.run
