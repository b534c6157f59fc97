"""Which captures an import has had before, held on disk: a million of them must not fill the memory."""

import hashlib
import sqlite3
from typing import Final

__all__ = ["Repetitions"]

_MAX_SUFFIX: Final = 1_000


class Repetitions:
    """Ids of captures with a hash of their content."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "": temporary, spilled to disk as it grows
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, digest BLOB) WITHOUT ROWID")
        self._database.execute("BEGIN")  # one transaction that nobody will ever need: no commit a row

    def free_id(self, capture_id: str, content: bytes) -> str | None:
        """An id for a capture of this content, which is then taken; None when it is the same as an earlier one.

        Other content under an id that is taken gets `-2`, `-3` and so on behind it.
        """
        digest = hashlib.sha256(content).digest()
        for number in range(1, _MAX_SUFFIX):
            candidate = capture_id if number == 1 else f"{capture_id}-{number}"
            added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (candidate, digest))
            if added.rowcount:
                return candidate
            (known,) = self._database.execute("SELECT digest FROM seen WHERE id = ?", (candidate,)).fetchone()
            if known == digest:
                return None
        return None

    def close(self) -> None:
        """Forget everything."""
        self._database.close()
