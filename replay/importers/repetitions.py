"""Which captures an import has had before, held on disk: a million of them must not fill the memory."""

import hashlib
import sqlite3
from typing import Final

from replay.importers.records import Unusable

__all__ = ["Repetitions"]

_MAX_CONTENTS: Final = 20  # under one id; whoever uses one for more has no ids


class Repetitions:
    """Hashes of ids, and of what stands under them."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "": temporary, spilled to disk as it grows
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE seen (id INTEGER PRIMARY KEY, content INTEGER)")
        self._cursor = self._database.cursor()
        self._cursor.execute("BEGIN")  # one transaction that nobody will ever need: no commit a row

    def free_id(self, capture_id: str, content: bytes) -> str | None:
        """An id for a capture of this content, which is then taken; None when it is the same as an earlier one.

        Other content under an id that is taken gets `-2`, `-3` and so on behind it.

        Raises:
            Unusable: Too many other contents stand under the id.
        """
        digest = _hash(content)
        for number in range(1, _MAX_CONTENTS + 1):
            candidate = capture_id if number == 1 else f"{capture_id}-{number}"
            key = _hash(candidate.encode())
            if self._cursor.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, digest)).rowcount:
                return candidate
            (known,) = self._cursor.execute("SELECT content FROM seen WHERE id = ?", (key,)).fetchone()
            if known == digest:
                return None
        raise Unusable(f"the id stands on {_MAX_CONTENTS} records already, each with other content")

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


def _hash(data: bytes) -> int:
    """63 bits: among a million ids two meet once in ten million imports, and one then only gets a suffix."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8]) >> 1
