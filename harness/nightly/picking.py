"""What a night replays: captures that the nights of its epoch have not seen, since only those are new evidence."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import duckdb

from harness import processes
from harness.config import Settings
from harness.errors import StoreError, UsageError
from harness.nightly.epochs import rules_sha256
from harness.nightly.night import Night, nights
from harness.store.database import open_db
from harness.store.runs import Run, list_runs

__all__ = ["pick", "runs_before", "seed_of"]

_SEED_BYTES: Final = 4
_CHOICE: Final = 2.0  # captures to choose among, for each that is wanted
_CAPTURES: Final = "SELECT DISTINCT capture_id FROM captures"


def pick(night: Night, settings: Settings, captures: Path | None, limit: int | None) -> int:
    """Choose the captures of a night that has none yet; the exit status of the command that did.

    Raises:
        UsageError: No file to choose from is named.
    """
    if night.picked:
        return 0
    source = captures or settings.nightly.captures
    if source is None:
        raise UsageError("nothing to choose from: name a file of captures, or set CUTOVER_NIGHTLY__CAPTURES")
    night.save()
    shown = processes.said(["capture", "show", str(source), "--json"])
    if shown.status:
        return shown.status
    before = runs_before(night, settings)
    wanted, there = limit or settings.nightly.limit, int(json.loads(shown.output)["captures"])
    # Another share of what is left every night, or the same captures would stand for their kind again and again. What
    # failed last night is no reason to choose: the order of evidence must not depend on its results.
    share = min(1.0, _CHOICE * wanted / max(1, there - _seen(before)))
    for sample, left_out in ((share, before), (1.0, before), (1.0, [])):
        if before and not left_out:
            click.echo(
                f"every capture of {source} was answered in this epoch, so tonight adds no evidence to a verdict; "
                "import newer traffic with cutover capture import",
                err=True,
            )
        status, chosen = _choose(night, source, wanted, sample, left_out)
        if status or chosen:
            break
    night.picked = status == 0
    night.save()
    return status


def _choose(night: Night, source: Path, wanted: int, share: float, before: Sequence[Run]) -> tuple[int, int]:
    """Exit status, and how many captures were chosen."""
    options = ["--limit", str(wanted), "--fill", "--sample", f"{share:.6f}", "--seed", str(seed_of(night)), "--replace"]
    options += [part for run in before for part in ("--except", run.id)]
    ended = processes.said(["capture", "pick", str(source), "--out", str(night.captures), *options, "--json"])
    if ended.status:
        return ended.status, 0
    facts: dict[str, Any] = json.loads(ended.output)
    click.echo(f"{facts['file']}: {facts['captures']:,} of {facts['of']:,} captures", err=True)
    return 0, int(facts["captures"])


def runs_before(night: Night, settings: Settings) -> list[Run]:
    """The runs that tonight's will be judged with as long as no model changes: those of the last night's epoch."""
    judged = [each for each in nights(settings.home) if each.status is not None and each.name != night.name]
    if not judged or judged[-1].rules_sha256 != rules_sha256(settings):
        return []
    known = {run.id: run for run in list_runs(settings.home)}
    return [known[name] for name in judged[-1].judged if name in known]


def _seen(runs: Sequence[Run]) -> int:
    """How many captures they have sent."""
    found: set[str] = set()
    for run in runs:
        try:
            with open_db(run.database) as database:
                found.update(name for (name,) in database.execute(_CAPTURES).fetchall())
        except duckdb.Error as error:
            raise StoreError(f"{run.database}: {str(error).splitlines()[0]}; `cutover runs seal {run.id}`") from None
    return len(found)


def seed_of(night: Night) -> int:
    """Another one every night, the same when it goes on."""
    return int.from_bytes(hashlib.sha256(night.name.encode()).digest()[:_SEED_BYTES])
