"""A great many numbers, kept on disk, and exact order statistics of them: a million must not fill the memory."""

import sqlite3
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final

__all__ = ["Spread"]

_BATCH: Final = 4_096  # numbers written at once: 32 KiB, some ten microseconds


class Spread:
    """Numbers in the order in which they came; takes any number of them."""

    def __init__(self) -> None:
        self._fresh = array("d")
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - has no name, and ends with this object
        weakref.finalize(self, self._file.close)
        self._written = 0

    def add(self, value: float) -> None:
        """Note one number."""
        self._fresh.append(value)
        if len(self._fresh) == _BATCH:
            self._written += len(self._fresh)
            self._fresh.tofile(self._file)
            self._fresh = array("d")

    def __len__(self) -> int:
        return self._written + len(self._fresh)

    def __iter__(self) -> Iterator[float]:
        """All of them in their order; none may be added meanwhile."""
        self._file.seek(0)
        while batch := self._file.read(_BATCH * self._fresh.itemsize):
            yield from array("d", batch)
        yield from self._fresh

    def quantiles(self, shares: Iterable[float]) -> list[float | None]:
        """For each share the smallest number that at least so many of all do not exceed; None when there are none."""
        if not len(self):
            return [None for _ in shares]
        with closing(sqlite3.connect("", isolation_level=None)) as sorter:  # "": temporary, spilled to disk as it grows
            sorter.execute("PRAGMA journal_mode=OFF")
            sorter.execute("PRAGMA temp_store=FILE")
            sorter.execute("CREATE TABLE numbers (value REAL)")
            sorter.execute("BEGIN")
            sorter.executemany("INSERT INTO numbers VALUES (?)", ((value,) for value in self))
            sorter.execute("CREATE INDEX by_value ON numbers (value)")
            places = [max(0, -int(-share * len(self) // 1) - 1) for share in shares]
            return [_at(sorter, place) for place in places]


def _at(sorter: sqlite3.Connection, place: int) -> float:
    query = "SELECT value FROM numbers ORDER BY value LIMIT 1 OFFSET ?"
    return float(sorter.execute(query, (place,)).fetchone()[0])
