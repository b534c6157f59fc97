"""GoReplay files: requests as they came off the wire, with their replies where those were recorded."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from replay.importers.capture_header import CAPTURE_HEADER
from replay.importers.exchanges import HttpExchange, HttpReply
from replay.importers.gor_records import GorRecord
from replay.importers.http_message import RequestLine, read_body, read_head, request_line, status_of
from replay.importers.records import LeftOut, Place, Skipped, Unusable

__all__ = ["read_gor"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# How many requests wait for their replies, and how much of them.
_MAX_WAITING: Final = 10_000
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024

Wanted = Callable[[RequestLine], bool]
Found = tuple[Place, HttpExchange | LeftOut]


def read_gor(records: Iterable[tuple[Place, GorRecord | LeftOut]], *, wanted: Wanted) -> Iterator[Found]:
    """Every record once: a speech request with the reply that belongs to it, or why it is left out.

    An id can come again on one connection, so a reply goes to the last request of its id that has none yet.

    Args:
        records: Of all files of one rotation, in order: a reply may stand in the file after its request.
        wanted: Whether a request is worth reading on.
    """
    waiting = _Waiting()
    for place, record in records:
        if isinstance(record, LeftOut):
            yield place, record
        elif record.type == "1":
            request = _request(record, wanted)
            if isinstance(request, LeftOut):
                yield place, request
            else:
                yield from waiting.add(request)
        elif record.type == "2":
            yield from waiting.answer(record)
            yield place, Skipped("a reply")
        else:
            yield place, Skipped("a reply to a replay" if record.type == "3" else "a record of unknown type")
    yield from waiting.rest()


class _Request(NamedTuple):
    """A speech request that waits for its reply."""

    place: Place
    id: str
    timestamp_ns: int
    captured_at: str
    line: RequestLine
    content_type: str
    body: bytes
    wants_sse: bool
    beside: str


def _request(record: GorRecord, wanted: Wanted) -> _Request | LeftOut:
    try:
        head = read_head(record.data, record.message_at)
        line = request_line(head)
        if not wanted(line):
            return Skipped("not a speech endpoint")
        return _Request(
            record.place,
            record.id,
            record.timestamp_ns,
            _moment(record.timestamp_ns),
            line,
            head.fields.get("content-type", ""),
            read_body(head, record.data),
            head.fields.get("x-dashscope-sse", "").lower() == "enable",
            head.fields.get(CAPTURE_HEADER.lower(), ""),
        )
    except LeftOut as reason:
        return reason


def _moment(timestamp_ns: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=timestamp_ns // 1000)).isoformat()
    except OverflowError:
        raise Unusable("the timestamp is out of range") from None


class _Waiting:
    """Requests whose replies may still come, oldest first."""

    def __init__(self) -> None:
        self._requests: OrderedDict[Place, _Request] = OrderedDict()
        self._places: dict[str, list[Place]] = {}  # id → places, oldest first
        self._bytes = 0

    def add(self, request: _Request) -> Iterator[Found]:
        """Let a request wait; those that have waited too long come out without a reply."""
        self._requests[request.place] = request
        self._places.setdefault(request.id, []).append(request.place)
        self._bytes += len(request.body)
        while len(self._requests) > _MAX_WAITING or self._bytes > _MAX_WAITING_BYTES:
            yield self._oldest()

    def answer(self, reply: GorRecord) -> Iterator[Found]:
        """The request that this is the reply to, if it waits here."""
        places = self._places.get(reply.id)
        if places:
            request = self._take(places[-1])
            yield request.place, _answered(request, reply)

    def rest(self) -> Iterator[Found]:
        """Those that never got a reply."""
        while self._requests:
            yield self._oldest()

    def _oldest(self) -> Found:
        request = self._take(next(iter(self._requests)))
        return request.place, _exchange(request)

    def _take(self, place: Place) -> _Request:
        request = self._requests.pop(place)
        places = self._places[request.id]
        places.remove(place)
        if not places:
            del self._places[request.id]
        self._bytes -= len(request.body)
        return request


def _answered(request: _Request, reply: GorRecord) -> HttpExchange:
    try:
        head = read_head(reply.data, reply.message_at)
        status, content_type = status_of(head), head.fields.get("content-type", "")
    except Unusable:
        return _exchange(request)
    try:
        body = read_body(head, reply.data)
    except Unusable:
        body = None  # goreplay cuts long replies
    # The reply's stamp is that of its first packet, its latency the time its packets took (capture-formats.md 1).
    first_byte_ns = reply.timestamp_ns - request.timestamp_ns
    total_ns = first_byte_ns + reply.latency_ns if reply.latency_ns is not None else None
    in_order = first_byte_ns >= 0
    return _exchange(
        request,
        reply=HttpReply(status=status, content_type=content_type, body=body),
        first_byte_s=first_byte_ns / 1e9 if in_order else None,
        total_s=total_ns / 1e9 if in_order and total_ns is not None else None,
    )


def _exchange(
    request: _Request,
    *,
    reply: HttpReply | None = None,
    first_byte_s: float | None = None,
    total_s: float | None = None,
) -> HttpExchange:
    return HttpExchange(
        key=f"{request.id}/{request.timestamp_ns}",
        captured_at=request.captured_at,
        method=request.line.method,
        host=request.line.host,
        path=request.line.path,
        query=request.line.query,
        content_type=request.content_type,
        body=request.body,
        wants_sse=request.wants_sse,
        beside=request.beside,
        reply=reply,
        first_byte_s=first_byte_s,
        total_s=total_s,
    )
