"""What takes up room under a home and belongs to nothing: audio of no run, and files that a kill left half written.

Nothing that a journal speaks of is ever touched, nor anything younger than a day: audio is written before the record
that names it, and a run under way must not lose it in between.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from harness.errors import StoreError
from harness.store.journal import JournalFile
from harness.store.key_table import KeyTable
from harness.store.runs import audio_store, list_runs

__all__ = ["Leftover", "leftovers", "remove"]

_YOUNG: Final = timedelta(days=1)
_NAMES: Final = ("audio_sha256", "control_sha256", "other_sha256")  # by which journals, features and pairs name audio


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A file that nothing speaks of."""

    path: Path
    size_bytes: int
    why: str


def leftovers(home: Path, *, now: datetime, young: timedelta = _YOUNG) -> list[Leftover]:
    """Every file under `home` that may go.

    Raises:
        StoreError: A run is being written, or a journal is damaged, so that it cannot be told what belongs to it.
    """
    named = KeyTable()
    for sha256 in _audio_of_runs(home):
        named.number(sha256)
    audio = (
        (path, "audio of no run")
        for path in sorted(audio_store(home).root.glob("*/*"))
        if not path.name.startswith(".") and path.name.partition(".")[0] not in named
    )
    partial = (
        (path, "left half written")
        for pattern in ("audio/*/.*", "runs/*/.run.duckdb.*")
        for path in sorted(home.glob(pattern))
    )
    before = (now - young).timestamp()
    found = []
    for path, why in (*audio, *partial):
        status = path.lstat()
        if path.is_file() and status.st_mtime < before:
            found.append(Leftover(path=path, size_bytes=status.st_size, why=why))
    return found


def remove(found: list[Leftover]) -> int:
    """Delete them, and say how many bytes that gave back."""
    for leftover in found:
        leftover.path.unlink(missing_ok=True)
    return sum(leftover.size_bytes for leftover in found)


def _audio_of_runs(home: Path) -> Iterator[str]:
    for run in list_runs(home):
        _refuse_when_written(run.journal)
        for path in (run.journal, run.features, run.pair_features):
            if path.exists():
                for record in JournalFile(path):
                    row = record.get("row", record)
                    yield from (row[key] for key in _NAMES if isinstance(row.get(key), str))


def _refuse_when_written(journal: Path) -> None:
    descriptor = os.open(journal, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(f"{journal}: a run is being written; compact when it has ended") from None
    finally:
        os.close(descriptor)
