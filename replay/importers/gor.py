"""GoReplay files: requests as they came off the wire, with their replies where those were recorded.

A file is a sequence of records, each a line of metadata, the raw HTTP message and a separator of three monkeys. What
goreplay itself loses is kept or told of here: a text that holds the separator, an id that came twice, a last record
without a separator (capture-formats.md 1).
"""

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from harness.errors import CaptureError
from replay.importers.exchanges import HttpExchange, HttpReply
from replay.importers.http_message import MAX_HEAD_BYTES, Head, RequestLine, read_body, read_head, request_line, status_of
from replay.importers.records import LeftOut, Skipped, Unusable
from replay.importers.unpacking import MAX_RECORD_BYTES, Readable, pieces

__all__ = ["SEPARATOR", "GorRecord", "GorRecords", "read_gor"]

SEPARATOR: Final = "\n🐵🙈🙉\n".encode()
_MONKEYS: Final = SEPARATOR.strip()
_PIECE_BYTES: Final = 1024 * 1024
_META: Final = re.compile(rb"([!-~]) ([!-~]{1,64}) ([0-9]{1,19})(?: ([0-9]{1,19}))?\r?\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_MAX_JOINTS: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# How many requests wait for their replies, and how much of them.
_MAX_WAITING: Final = 10_000
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024

Wanted = Callable[[RequestLine], bool]
Found = tuple[int, HttpExchange | LeftOut]  # record number, what it is


class _Chunk(NamedTuple):
    """Bytes between two separators."""

    data: bytes  # of a chunk beyond the allowed size only parts
    size_bytes: int
    joints: int = 0  # separators that turned out to be text

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.size_bytes


class GorRecord(NamedTuple):
    """One record: its metadata and the message."""

    number: int
    type: str  # "1" request, "2" reply, "3" reply to a replay
    id: str
    timestamp_ns: int
    latency_ns: int | None
    message: bytes


class GorRecords:
    """The records of a source, in order; what is none comes as the reason why."""

    def __init__(self, source: Readable, *, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._source = source
        self._max_bytes = max_record_bytes

    def __iter__(self) -> Iterator[tuple[int, GorRecord | LeftOut]]:
        """Record number and record.

        Raises:
            CaptureError: This is no GoReplay file, or an editor has changed its line ends.
        """
        for number, chunk in enumerate(self._joined(), start=1):
            yield number, _record(number, chunk)

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
        buffer = bytearray()
        start = searched = dropped = 0
        is_first = True
        for piece in pieces(self._source, _PIECE_BYTES):
            if is_first:
                _check_beginning(piece)
                is_first = False
            buffer += piece
            while (end := buffer.find(SEPARATOR, searched)) >= 0:
                yield _Chunk(bytes(buffer[start:end]), dropped + end - start)
                start = searched = end + len(SEPARATOR)
                dropped = 0
            del buffer[:start]
            start = 0
            if len(buffer) > self._max_bytes:  # keep its beginning, let the rest go by
                surplus = len(buffer) - len(SEPARATOR) - self._max_bytes // 2
                del buffer[self._max_bytes // 2 : self._max_bytes // 2 + surplus]
                dropped += surplus
            searched = max(0, len(buffer) - len(SEPARATOR) + 1)
        if buffer.strip():
            yield _Chunk(bytes(buffer), dropped + len(buffer))


def _check_beginning(piece: bytes) -> None:
    meta = _META.match(piece)
    if meta and meta[0].endswith(b"\r\n"):
        raise CaptureError("an editor has changed the line ends of this GoReplay file; import it as it was recorded")
    if not meta and SEPARATOR not in piece:
        raise CaptureError("this does not look like a GoReplay file; name its format with --format")


def _belongs(chunk: _Chunk, before: _Chunk) -> bool:
    """Whether `chunk` goes on with the message of `before`, the separator between them being part of its text."""
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


def _record(number: int, chunk: _Chunk) -> GorRecord | LeftOut:
    meta = _META.match(chunk.data)
    if not meta:
        return Unusable("the line of metadata is malformed")
    if not chunk.is_whole:
        return Unusable(f"the record has {chunk.size_bytes} bytes, more than are read")
    kind, identity, timestamp, latency = meta.groups()
    start = meta.end()
    while chunk.data[start : start + 1] in (b"\r", b"\n") and start < meta.end() + 4:
        start += 1  # a blank line stands here in files that were pasted together (goreplay #1224)
    return GorRecord(
        number,
        kind.decode(),
        identity.decode(),
        int(timestamp),
        int(latency) if latency is not None else None,
        chunk.data[start:],
    )


def read_gor(source: Readable, *, wanted: Wanted) -> Iterator[Found]:
    """Every record once: a speech request with the reply that belongs to it, or why it is left out.

    An id can come again on one connection, so a reply goes to the last request of its id that has none yet.

    Args:
        source: The file, or several of one rotation one after the other.
        wanted: Whether a request is worth reading on.

    Raises:
        CaptureError: As `GorRecords`.
    """
    waiting = _Waiting()
    for number, record in GorRecords(source):
        if isinstance(record, LeftOut):
            yield number, record
        elif record.type == "1":
            yield from _request(record, wanted, waiting)
        elif record.type == "2":
            yield from waiting.answer(record)
            yield number, Skipped("a reply")
        else:
            yield number, Skipped("a reply to a replay" if record.type == "3" else "a record of unknown type")
    yield from waiting.rest()


def _request(record: GorRecord, wanted: Wanted, waiting: "_Waiting") -> Iterator[Found]:
    try:
        head = read_head(record.message)
        line = request_line(head)
        if not wanted(line):
            yield record.number, Skipped("not a speech endpoint")
            return
        exchange = _exchange(record, head, line)
    except LeftOut as reason:
        yield record.number, reason
        return
    yield from waiting.add(record, exchange)


def _exchange(record: GorRecord, head: Head, line: RequestLine) -> HttpExchange:
    return HttpExchange(
        key=f"{record.id}/{record.timestamp_ns}",
        captured_at=_moment(record.timestamp_ns),
        method=line.method,
        host=line.host,
        path=line.path,
        content_type=head.fields.get("content-type", ""),
        body=read_body(head, record.message),
        wants_sse=head.fields.get("x-dashscope-sse", "").lower() == "enable",
    )


def _moment(timestamp_ns: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=timestamp_ns // 1000)).isoformat()
    except OverflowError:
        raise Unusable("the timestamp is out of range") from None


class _Waiting:
    """Requests whose replies may still come, oldest first."""

    def __init__(self) -> None:
        self._requests: OrderedDict[int, tuple[GorRecord, HttpExchange]] = OrderedDict()  # by record number
        self._numbers: dict[str, list[int]] = {}  # id → record numbers, oldest first
        self._bytes = 0

    def add(self, record: GorRecord, exchange: HttpExchange) -> Iterator[Found]:
        """Let a request wait; those that have waited too long come out without a reply."""
        self._requests[record.number] = (record._replace(message=b""), exchange)
        self._numbers.setdefault(record.id, []).append(record.number)
        self._bytes += len(exchange.body)
        while len(self._requests) > _MAX_WAITING or self._bytes > _MAX_WAITING_BYTES:
            number = next(iter(self._requests))
            yield number, self._take(number)[1]

    def answer(self, reply: GorRecord) -> Iterator[Found]:
        """The request that this is the reply to, if it waits here."""
        numbers = self._numbers.get(reply.id)
        if numbers:
            record, exchange = self._take(numbers[-1])
            yield record.number, _answered(record, exchange, reply)

    def rest(self) -> Iterator[Found]:
        """Those that never got a reply."""
        while self._requests:
            number = next(iter(self._requests))
            yield number, self._take(number)[1]

    def _take(self, number: int) -> tuple[GorRecord, HttpExchange]:
        record, exchange = self._requests.pop(number)
        numbers = self._numbers[record.id]
        numbers.remove(number)
        if not numbers:
            del self._numbers[record.id]
        self._bytes -= len(exchange.body)
        return record, exchange


def _answered(record: GorRecord, exchange: HttpExchange, reply: GorRecord) -> HttpExchange:
    try:
        head = read_head(reply.message)
        status, content_type = status_of(head), head.fields.get("content-type", "")
    except Unusable:
        return exchange
    try:
        body = read_body(head, reply.message)
    except Unusable:
        body = None  # goreplay cuts long replies
    # The reply's stamp is that of its first packet, its latency the time its packets took (capture-formats.md 1).
    first_byte_ns = reply.timestamp_ns - record.timestamp_ns
    in_order = first_byte_ns >= 0
    total_ns = first_byte_ns + reply.latency_ns if reply.latency_ns is not None else None
    return replace(
        exchange,
        reply=HttpReply(status=status, content_type=content_type, body=body),
        first_byte_s=first_byte_ns / 1e9 if in_order else None,
        total_s=total_ns / 1e9 if in_order and total_ns is not None else None,
    )
