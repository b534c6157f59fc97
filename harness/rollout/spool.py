"""Outcomes of all processes in one place: a file a day that everybody appends whole lines to.

Cheap and lossy on purpose: nothing is synced, and a full disk costs lines rather than callers. The run's journal is
where nothing may be lost.
"""

import contextlib
import os
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from harness.rollout.outcomes import LiveOutcome, from_line, to_line

__all__ = ["Spool", "SpoolReader", "expire", "stored_outcomes"]

_PATTERN: Final = "outcomes-*.jsonl"


class Spool:
    """Appends the outcomes of one process."""

    def __init__(self, folder: Path) -> None:
        self.lost = 0  # outcomes that could not be written
        self._folder = folder
        self._name = ""
        self._descriptor = -1

    def append(self, outcome: LiveOutcome) -> None:
        """Write one line in one call, so that lines of several processes never mix; count it as lost on any error."""
        line = to_line(outcome)
        try:
            self._open(f"outcomes-{datetime.fromtimestamp(outcome.at_s, UTC):%Y%m%d}.jsonl")
            if os.write(self._descriptor, line) != len(line):
                self.lost += 1
        except OSError:
            self.lost += 1

    def _open(self, name: str) -> None:
        if name == self._name:
            return
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._folder / name, flags, 0o600)
        self._name = name

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._name = -1, ""


class SpoolReader:
    """Follows the files of a spool, oldest first, and tells how far it came.

    At midnight some processes still write the old file, so the last two are followed.
    """

    def __init__(self, folder: Path, offsets: Mapping[str, int] = MappingProxyType({})) -> None:
        """Begin behind `offsets`, by file name; files before the first of them were read to their end."""
        self.offsets = dict(offsets)
        self.torn = 0  # lines that were no outcome
        self._folder = folder

    def new(self) -> Generator[LiveOutcome, None, None]:
        """The outcomes since the last time; a line without its end waits for it."""
        first = min(self.offsets, default="")
        for path in sorted(self._folder.glob(_PATTERN)):
            if path.name >= first:
                yield from self._lines(path)
        for name in sorted(self.offsets)[:-2]:
            del self.offsets[name]

    def _lines(self, path: Path) -> Iterator[LiveOutcome]:
        offset = self.offsets.setdefault(path.name, 0)
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.offsets[path.name] += len(line)
                try:
                    yield from_line(line)
                except ValueError:
                    self.torn += 1


def stored_outcomes(folder: Path) -> Iterator[LiveOutcome]:
    """Everything a spool still holds, oldest file first."""
    return SpoolReader(folder).new()


def expire(folder: Path, *, before: datetime) -> None:
    """Delete the files of days that ended before `before`; one that cannot be deleted stays."""
    name = f"outcomes-{before:%Y%m%d}.jsonl"
    for path in folder.glob(_PATTERN):
        if path.name < name:
            with contextlib.suppress(OSError):
                path.unlink()
