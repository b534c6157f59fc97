"""GoReplay files record by record: a line of metadata, the raw HTTP message, a separator of three monkeys.

What goreplay itself loses is kept or told of here: a text that holds the separator, a last record without one, a
blank line that an editor left behind (capture-formats.md 1). Which reply belongs to which request is for gor.py.
"""

import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from replay.importers.http_message import MAX_HEAD_BYTES
from replay.importers.records import ForeignFormat, LeftOut, Place, Unusable
from replay.importers.unpacking import MAX_RECORD_BYTES, Readable

__all__ = ["SEPARATOR", "GorRecord", "GorRecords", "record_of"]

SEPARATOR: Final = "\n🐵🙈🙉\n".encode()
# Read at once: as much as memory is had for without asking the system (1 MiB a time took twice as long for replies of
# 48 kB), and more where a record is larger, so that its beginning is not copied again and again.
_PIECE_BYTES: Final = 64 * 1024
_LARGEST_PIECE_BYTES: Final = 1024 * 1024
_META: Final = re.compile(rb"([!-~]) ([!-~]{1,64}) ([0-9]{1,19})(?: ([0-9]{1,19}))?\r?\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_MAX_JOINTS: Final = 100


class _Chunk(NamedTuple):
    """Bytes between two separators."""

    data: bytes  # of a chunk beyond the allowed size only parts
    size_bytes: int
    joints: int = 0  # separators that turned out to be text
    is_told: bool = False  # it ends where its own head says

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.size_bytes


class GorRecord(NamedTuple):
    """One record: its metadata and the message."""

    place: Place
    type: str  # "1" request, "2" reply, "3" reply to a replay
    id: str
    timestamp_ns: int
    latency_ns: int | None
    data: bytes
    message_at: int  # where the HTTP message begins in it


class GorRecords:
    """The records of a source, in order; what is none comes as the reason why."""

    def __init__(self, name: str, source: Readable, *, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._name = name
        self._source = source
        self._max_bytes = max_record_bytes
        self._max_told_bytes = min(max_record_bytes, _LARGEST_PIECE_BYTES)  # waited for on a head's mere word

    def __iter__(self) -> Iterator[tuple[Place, GorRecord | LeftOut]]:
        """Every record with its place.

        Raises:
            ForeignFormat: This is no GoReplay file, or an editor has changed its line ends.
        """
        for number, chunk in enumerate(self._joined(), start=1):
            place = Place(self._name, number)
            yield place, _record(place, chunk)

    def _joined(self) -> Iterator[_Chunk]:
        """Chunks, put together again where a text held the separator."""
        held: _Chunk | None = None
        for chunk in self._split():
            if held is None:
                held = chunk
            elif _belongs(chunk, held):
                held = _join(held, chunk, self._max_bytes)
            else:
                yield held
                held = chunk
        if held is not None:
            yield held

    def _split(self) -> Iterator[_Chunk]:
        rest, searched, dropped, is_first = b"", 0, 0, True
        while piece := self._source.read(min(max(_PIECE_BYTES, len(rest)), _LARGEST_PIECE_BYTES)):
            buffer, start = rest + piece, 0
            while True:
                told = _told_end(buffer, start, self._max_told_bytes) if not dropped else None
                if told is not None and len(buffer) < told + len(SEPARATOR):
                    break  # not all of it is here
                is_told = told is not None and buffer.startswith(SEPARATOR, told)
                end = told if told is not None and is_told else buffer.find(SEPARATOR, searched)
                if end < 0:
                    searched = max(start, len(buffer) - len(SEPARATOR) + 1)
                    break
                yield _Chunk(buffer[start:end], dropped + end - start, is_told=is_told)
                start = searched = end + len(SEPARATOR)
                dropped, is_first = 0, False
            rest = self._shortened(buffer[start:])
            searched = min(searched - start, max(0, len(rest) - len(SEPARATOR) + 1))
            dropped += len(buffer) - start - len(rest)
        yield from _last_chunks(rest, dropped, is_first=is_first)

    def _shortened(self, rest: bytes) -> bytes:
        """Of a record beyond the allowed size its beginning, and its end for a separator that has only begun."""
        if len(rest) <= self._max_bytes:
            return rest
        return rest[: self._max_bytes // 2] + rest[-len(SEPARATOR) :]


def _last_chunks(rest: bytes, dropped: int, *, is_first: bool) -> Iterator[_Chunk]:
    """What stands at the end of a file: one record, or more where the first was cut shorter than it tells."""
    *whole, last = rest.split(SEPARATOR)
    for data in whole:
        yield _Chunk(data, dropped + len(data))
        dropped, is_first = 0, False
    if last.strip():
        if is_first:
            _refuse_foreign(last)
        yield _Chunk(last, dropped + len(last))


def _told_end(buffer: bytes, start: int, max_bytes: int) -> int | None:
    """Where the record that begins there ends by its own head; None where that does not tell, or of too much.

    Just a hint, and true of most: to look through a reply of 48 kB for the separator takes longer than all else there.
    """
    meta = _META.match(buffer, start)
    if not meta:
        return None
    body_at = buffer.find(b"\r\n\r\n", meta.end(), meta.end() + MAX_HEAD_BYTES) + 4
    declared = _LENGTH.search(buffer, meta.end(), body_at) if body_at >= 4 else None
    end = body_at + int(declared[1]) if declared else None
    return end if end is not None and end - start <= max_bytes else None


def _refuse_foreign(whole: bytes) -> None:
    """A file without a single separator is a lone record, or something else altogether."""
    meta = _META.match(whole)
    if meta and meta[0].endswith(b"\r\n"):
        raise ForeignFormat("an editor has changed the line ends of this GoReplay file; import it as it was recorded")
    if not meta:
        raise ForeignFormat("this does not look like a GoReplay file; name its format with --format")


def _belongs(chunk: _Chunk, before: _Chunk) -> bool:
    """Whether `chunk` goes on with the message of `before`, the separator between them being part of its text."""
    if before.is_told:
        return False
    missing = _missing_bytes(before)
    if missing == len(SEPARATOR) + chunk.size_bytes:
        return True  # whatever it looks like
    return missing > 0 and not _META.match(chunk.data)


def _join(before: _Chunk, chunk: _Chunk, max_bytes: int) -> _Chunk:
    size = before.size_bytes + len(SEPARATOR) + chunk.size_bytes
    fits = size <= max_bytes and before.joints < _MAX_JOINTS and before.is_whole
    return _Chunk(before.data + SEPARATOR + chunk.data if fits else before.data, size, before.joints + 1)


def _missing_bytes(chunk: _Chunk) -> float:
    """How much of the message its head promises beyond what is there; infinite where the head itself has no end."""
    meta = _META.match(chunk.data)
    if not meta:
        return 0
    body_at = chunk.data.find(b"\r\n\r\n", meta.end(), meta.end() + MAX_HEAD_BYTES) + 4
    if body_at < 4:
        return math.inf if chunk.size_bytes < MAX_HEAD_BYTES else 0
    declared = _LENGTH.search(chunk.data, meta.end(), body_at)
    return int(declared[1]) - (chunk.size_bytes - body_at) if declared else 0


def _record(place: Place, chunk: _Chunk) -> GorRecord | LeftOut:
    if not chunk.is_whole:
        return Unusable(f"the record has {chunk.size_bytes} bytes, more than are read")
    return record_of(place, chunk.data)


def record_of(place: Place, data: bytes) -> GorRecord | LeftOut:
    """The record in `data`, which holds its metadata and its message and nothing else."""
    meta = _META.match(data)
    if not meta:
        return Unusable("the line of metadata is malformed")
    kind, identity, timestamp, latency = meta.groups()
    start = meta.end()
    while data[start : start + 1] in (b"\r", b"\n") and start < meta.end() + 4:
        start += 1  # a blank line stands here in files that were pasted together (goreplay #1224)
    return GorRecord(
        place,
        kind.decode(),
        identity.decode(),
        int(timestamp),
        int(latency) if latency is not None else None,
        data,
        start,
    )
