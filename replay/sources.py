"""Captures out of files: every line is a capture, a blank, a repetition, or set aside with its reason.

Streams in constant memory: what was seen before is kept in a temporary database on disk. What one line may hold is
decided in harness/capture.py.
"""

import base64
import hashlib
import heapq
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import BinaryIO, NamedTuple

from harness.capture import InvalidCapture, capture_from_json
from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.errors import CaptureError, UsageError
from harness.exchanges import Capture
from harness.speech import Operation
from harness.store.blobs import BlobStore
from replay.lines import MAX_LINE_BYTES, Line, LineFile

__all__ = ["CaptureFile", "LineCounts", "read_captures", "select"]


class LineCounts(NamedTuple):
    """What became of the lines read so far; the three add up to `lines`."""

    good: int = 0
    quarantined: int = 0
    skipped: int = 0  # blank, or the same as an earlier line

    @property
    def lines(self) -> int:
        """Lines read."""
        return self.good + self.quarantined + self.skipped


class CaptureFile:
    """The captures of one file in its order; each iteration reads it anew and counts afresh."""

    def __init__(
        self, path: Path, *, quarantine: Path, keys: KeyRing | None = None, max_line_bytes: int = MAX_LINE_BYTES
    ) -> None:
        self.path = path
        self._keys = keys
        self.references = self.references_beside(path)  # recordings that voices are made from
        self.quarantine = quarantine / f"{path.name}.quarantine.jsonl"  # there only when a line was bad
        self.counts = LineCounts()
        self._lines = LineFile(path, max_line_bytes=max_line_bytes)

    def references_beside(self, path: Path) -> BlobStore:
        """The recordings of another capture file, under the same keys."""
        folder = path.parent / "audio"
        return BlobStore(folder) if self._keys is None else EncryptedBlobStore(folder, self._keys)

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file as it was read; None until it was read to its end."""
        return self._lines.sha256

    def __iter__(self) -> Iterator[Capture]:
        """Every good capture.

        Raises:
            CaptureError: The file cannot be read as UTF-8 lines, or bad lines cannot be written down.
        """
        self.counts = LineCounts()
        with closing(_Quarantine(self.quarantine)) as quarantine, closing(_Seen()) as seen:
            for line in self._lines:
                try:
                    capture = _parse(line, seen)
                except InvalidCapture as error:
                    self._count(quarantined=1)
                    quarantine.add(line, str(error))
                    continue
                self._count(good=int(capture is not None), skipped=int(capture is None))
                if capture is not None:
                    yield capture

    def _count(self, *, good: int = 0, quarantined: int = 0, skipped: int = 0) -> None:
        so_far = self.counts
        self.counts = LineCounts(so_far.good + good, so_far.quarantined + quarantined, so_far.skipped + skipped)


def read_captures(path: Path, *, quarantine: Path | None = None, keys: KeyRing | None = None) -> CaptureFile:
    """The captures in `path`, plain or zstd-compressed; nothing is read before the first is asked for.

    Args:
        path: JSONL, one capture a line; reference recordings lie in the folder `audio` beside it.
        quarantine: Folder for bad lines; the file's own when left out.
        keys: Open encrypted recordings, and encrypt new ones; without them only plain ones are read.

    Raises:
        CaptureError: The file cannot be opened.
    """
    return CaptureFile(path, quarantine=quarantine or path.parent, keys=keys)


def _parse(line: Line, seen: "_Seen") -> Capture | None:
    """The line's capture; None for one that says nothing new."""
    if not line.is_whole:
        raise InvalidCapture(f"the line has {line.size_bytes} bytes, more than the {len(line.data)} allowed")
    data = line.data.strip()
    if not data:
        return None
    capture = capture_from_json(data)
    first = seen.first(capture.id, line.number, data)
    if first is None:
        return capture
    if first.is_same:
        return None
    raise InvalidCapture(f"the id stands on line {first.number} too, with other content")


class _First(NamedTuple):
    number: int  # of the line that had the id first
    is_same: bool


class _Seen:
    """Which ids came on which lines, held on disk: a million captures must not fill the memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "": temporary, spilled to disk as it grows
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, number INT, digest BLOB) WITHOUT ROWID")

    def first(self, capture_id: str, number: int, data: bytes) -> _First | None:
        """The line that had this id before; None when it is new, which is then remembered."""
        digest = hashlib.sha256(data).digest()
        added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (capture_id, number, digest))
        if added.rowcount:
            return None
        row = self._database.execute("SELECT number, digest FROM seen WHERE id = ?", (capture_id,)).fetchone()
        return _First(row[0], is_same=row[1] == digest)

    def close(self) -> None:
        self._database.close()


class _Quarantine:
    """Bad lines with their reasons, in a file that only its owner may read; made when the first comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        with _writing(path):
            path.unlink(missing_ok=True)  # of an earlier reading

    def add(self, line: Line, reason: str) -> None:
        record = {
            "line": line.number,
            "reason": reason,
            "sha256": line.sha256 or hashlib.sha256(line.data).hexdigest(),
            "bytes": line.size_bytes,
            "whole": line.is_whole,  # false: `raw` is only the beginning
            "raw": base64.b64encode(line.data).decode(),
        }
        with _writing(self._path):
            self._opened().write(json.dumps(record).encode() + b"\n")

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(descriptor, "wb")
        return self._file

    def close(self) -> None:
        if self._file is not None:
            with _writing(self._path):
                self._file.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CaptureError(
            f"{path}: bad lines cannot be written here: {error.strerror}; choose another folder"
        ) from None


def select(captures: Iterable[Capture], limit: int | None = None, *, seed: int = 0) -> list[Capture]:
    """The captures to replay, by the time they were captured.

    A limit is dealt out over the operations in turn (20 are 7 generate, 7 clone, 6 design), and what one operation
    lacks goes to the others. Which captures are drawn depends on seed and ids alone, so a capture file that grows
    changes little. Holds no more than `limit` captures of each operation.

    Raises:
        UsageError: The limit is less than one.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit is {limit}; ask for at least 1 capture")
    chosen = captures if limit is None else _deal(captures, limit, seed)
    return sorted(chosen, key=lambda capture: (capture.captured_at, capture.id))


def _deal(captures: Iterable[Capture], limit: int, seed: int) -> list[Capture]:
    lowest: dict[Operation, list[tuple[int, str, Capture]]] = {operation: [] for operation in Operation}
    for capture in captures:
        heap = lowest[capture.request.operation]
        entry = (-_draw(capture.id, seed), capture.id, capture)  # a heap gives up its smallest: the highest draw
        if len(heap) < limit:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    ranked = [[capture for *_, capture in sorted(heap, reverse=True)] for heap in lowest.values()]
    rounds = chain.from_iterable(zip_longest(*ranked))
    return list(islice((capture for capture in rounds if capture is not None), limit))


def _draw(capture_id: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{capture_id}".encode()).digest()[:8])
