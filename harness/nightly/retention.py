"""Delete what nights left behind once it is old: their folders, their runs, and audio that no run needs any more.

Touches nothing that a night did not make: runs of other kinds and their audio stay.
"""

import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from harness.nightly.night import Night
from harness.store.journal import read_journal
from harness.store.runs import Run, audio_store, list_runs

__all__ = ["Removed", "remove_old"]


class Removed(NamedTuple):
    """What is gone."""

    nights: list[str]
    audios: int


def remove_old(home: Path, nights: Iterable[Night], *, keep_days: int, now: datetime, keep: Iterable[str]) -> Removed:
    """Delete nights whose run began more than `keep_days` ago, and such without a run that were left lying as long.

    Args:
        home: Where all of it is.
        nights: Every night.
        keep_days: Age limit.
        now: What age is counted back from.
        keep: Runs that stay whatever their age: the evidence in force.
    """
    oldest, kept = now - timedelta(days=keep_days), set(keep)
    old = [night for night in nights if night.run not in kept and _is_older(night, oldest)]
    runs = {run.id: run for run in list_runs(home)}
    gone = [runs[night.run] for night in old if night.run in runs]
    candidates = {audio for run in gone for audio in _audios(run)}
    if candidates:  # journals are long: they are read only when some audio may go
        names = {run.id for run in gone}
        candidates -= {audio for run in runs.values() if run.id not in names for audio in _audios(run)}
    # Audio first: a run whose audio is gone can be deleted again, audio without any run would be lost sight of.
    for sha256 in candidates:
        _remove_audio(home, sha256)
    for path in [*(run.path for run in gone), *(night.folder for night in old)]:
        shutil.rmtree(path, ignore_errors=True)
    return Removed([night.name for night in old], len(candidates))


def _is_older(night: Night, oldest: datetime) -> bool:
    changed = (night.folder / "night.json").stat().st_mtime
    return datetime.fromtimestamp(changed, tz=oldest.tzinfo) < oldest


def _audios(run: Run) -> set[str]:
    """Names of the audio that a run received."""
    rows = (record["row"] for record in read_journal(run.journal).records if record["type"] == "result")
    return {row["audio_sha256"] for row in rows if row.get("audio_sha256")}


def _remove_audio(home: Path, sha256: str) -> None:
    found = audio_store(home).find(sha256)
    if found is not None:
        found.unlink(missing_ok=True)
