"""The captures of a plan in the order they were captured, held on disk: a million must not fill the memory.

A temporary database that vanishes with the process; what is kept of a capture is its own JSON.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, overload

from harness.capture import capture_from_json, capture_to_json
from harness.exchanges import Capture

__all__ = ["CaptureShelf"]

_BATCH: Final = 256  # rows fetched at once: a cursor must not hold the database while others read


class CaptureShelf(Sequence[Capture]):
    """Captures sorted by time, then id; each iteration reads them anew."""

    def __init__(self, captures: Iterable[Capture]) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "": temporary, spilled to disk as it grows
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("PRAGMA temp_store=FILE")
        self._database.execute("CREATE TABLE unsorted (captured_at REAL, id TEXT, capture TEXT)")
        rows = ((capture.captured_at.timestamp(), capture.id, capture_to_json(capture)) for capture in captures)
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO unsorted VALUES (?, ?, ?)", rows)
        # Rows get their numbers in the order in which they arrive, from 1.
        self._database.execute("CREATE TABLE sorted (number INTEGER PRIMARY KEY, capture TEXT)")
        self._database.execute(
            "INSERT INTO sorted (capture) SELECT capture FROM unsorted ORDER BY captured_at, id, unsorted.rowid"
        )
        self._database.execute("DROP TABLE unsorted")
        self._database.execute("COMMIT")
        self._count = int(self._database.execute("SELECT count(*) FROM sorted").fetchone()[0])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Capture]:
        after = 0
        while rows := self._database.execute(
            "SELECT number, capture FROM sorted WHERE number > ? ORDER BY number LIMIT ?", (after, _BATCH)
        ).fetchall():
            for _, line in rows:
                yield capture_from_json(line, is_ours=True)
            after = rows[-1][0]

    @overload
    def __getitem__(self, place: int) -> Capture: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Capture]: ...
    def __getitem__(self, place: int | slice) -> Capture | Sequence[Capture]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._count))]
        number = place + self._count if place < 0 else place
        row = self._database.execute("SELECT capture FROM sorted WHERE number = ?", (number + 1,)).fetchone()
        if row is None:
            raise IndexError(f"there are {self._count} captures, none at {place}")
        return capture_from_json(row[0], is_ours=True)
