"""Where a run keeps its files, and how a person names a run.

<home>/runs/<run id>/journal.jsonl    what was planned, sent, spent and received: the truth
                     features.jsonl   what was measured on its audio
                     pairs.jsonl      how alike the two audios of each pair are
                     readings.jsonl   what models said of them, voices included: never in the database
                     judgement.jsonl  what was judged, the last one counts
                     run.duckdb       a projection of all but the readings, sealed: read-only, rebuilt at any time
<home>/audio/                         the audio of all runs, by content
"""

from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.store.blobs import BlobStore

__all__ = ["Run", "audio_store", "find_run", "list_runs"]


@dataclass(frozen=True, slots=True)
class Run:
    """The folder of one run."""

    path: Path

    @property
    def id(self) -> str:
        """The run's name: its start in UTC and the head of its plan's hash."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """What was planned, sent, spent and received."""
        return self.path / "journal.jsonl"

    @property
    def features(self) -> Path:
        """What was measured."""
        return self.path / "features.jsonl"

    @property
    def pair_features(self) -> Path:
        """How alike the two audios of each pair are."""
        return self.path / "pairs.jsonl"

    @property
    def readings(self) -> Path:
        """What models said of the audio; only where any was asked."""
        return self.path / "readings.jsonl"

    @property
    def judgement(self) -> Path:
        """What was judged."""
        return self.path / "judgement.jsonl"

    @property
    def database(self) -> Path:
        """The sealed projection."""
        return self.path / "run.duckdb"

    @property
    def is_sealed(self) -> bool:
        """Whether the database is there and not older than what it is made from."""
        sources = (self.journal, self.features, self.pair_features, self.judgement)
        written = max((path.stat().st_mtime_ns for path in sources if path.exists()), default=0)
        return self.database.is_file() and self.database.stat().st_mtime_ns >= written


def audio_store(home: Path) -> BlobStore:
    """The audio of all runs under `home`."""
    return BlobStore(home / "audio")


def list_runs(home: Path) -> list[Run]:
    """All runs under `home`, oldest first; a folder whose run was killed before its plan was written is none."""
    runs = [Run(journal.parent) for journal in sorted((home / "runs").glob("*/journal.jsonl"))]
    return [run for run in runs if run.journal.stat().st_size or run.database.is_file()]


def find_run(home: Path, name: str) -> Run:
    """The run of this id, or at this path: its folder or a file in it. `latest` is harness/store/choosing.py's word.

    Raises:
        UsageError: There is no such run.
    """
    runs = list_runs(home)
    for run in runs:
        if run.id == name:
            return run
    path = Path(name)
    folder = path.parent if path.is_file() else path
    if (folder / "journal.jsonl").is_file():
        return Run(folder)
    known = f"; the newest is {runs[-1].id}" if runs else ""
    raise UsageError(f"{name}: no such run{known} (`cutover runs list` shows all)")
