"""Flow files of mitmproxy and mitmdump (capture-formats.md 3), without mitmproxy."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from replay.importers.capture_header import CAPTURE_HEADER
from replay.importers.exchanges import HttpExchange, HttpReply, SocketMessage
from replay.importers.http_message import RequestLine, uncoded
from replay.importers.records import ForeignFormat, LeftOut, Skipped, Unusable
from replay.importers.tnetstring import Malformed, TooLarge, Value, read_value
from replay.importers.unpacking import MAX_RECORD_BYTES, Readable

__all__ = ["read_mitmproxy"]

_OLDEST_VERSION: Final = 18
_MAX_FLOW_BYTES: Final = 2 * MAX_RECORD_BYTES  # request and reply

Fields = dict[str, Value]


def read_mitmproxy(
    source: Readable, *, wanted: Callable[[RequestLine], bool], max_flow_bytes: int = _MAX_FLOW_BYTES
) -> Iterator[tuple[int, HttpExchange | LeftOut]]:
    """Every flow with its number: a speech request with its reply, or why it is left out.

    Raises:
        ForeignFormat: The first flow is none.
    """
    number = 0
    while True:
        number += 1
        try:
            flow = read_value(source, max_bytes=max_flow_bytes)
            yield number, _exchange(flow, wanted)
        except EOFError:
            return
        except TooLarge as error:
            yield (
                number,
                Unusable(f"the flow has {error.size_bytes} bytes, more than the {max_flow_bytes} that are read"),
            )
        except Malformed:
            if number == 1:
                raise ForeignFormat("this is no mitmproxy flow file; name its format with --format") from None
            yield number, Unusable("the flow is damaged or cut short; nothing behind it can be read")
            return
        except LeftOut as reason:
            yield number, reason


def _exchange(flow: Value, wanted: Callable[[RequestLine], bool]) -> HttpExchange:
    if not isinstance(flow, dict):
        raise Unusable("the flow is no mapping")
    version = flow.get("version")
    if not isinstance(version, int) or version < _OLDEST_VERSION:
        raise Unusable("the flow is of an old format; convert the file with: mitmdump -n -r OLD -w NEW")
    if flow.get("type") not in ("http", b"http"):
        raise Skipped("not an HTTP flow")
    request = flow.get("request")
    if not isinstance(request, dict):
        raise Unusable("the flow has no request")
    line = _request_line(request)
    if not wanted(line):
        raise Skipped("not a speech endpoint")
    return _speech_exchange(flow, request, line)


def _request_line(request: Fields) -> RequestLine:
    host, path = request.get("host"), _latin(request.get("path"))
    if not isinstance(host, str):
        host = _latin(host)
    path, _, query = path.partition("?")
    return RequestLine(_latin(request.get("method")), host.lower(), path, query)


def _speech_exchange(flow: Fields, request: Fields, line: RequestLine) -> HttpExchange:
    headers = _wanted_fields(request)
    content = request.get("content")
    if not isinstance(content, bytes):
        raise Unusable("the body was streamed past mitmproxy and is not in the file")
    started = _number(request.get("timestamp_start"))
    if started is None:
        raise Unusable("the flow has no time")
    sent, response = _number(request.get("timestamp_end")), flow.get("response")
    reply = response if isinstance(response, dict) else None
    first, last = (_number(reply.get(f"timestamp_{end}")) if reply else None for end in ("start", "end"))
    return HttpExchange(
        key=_latin(flow.get("id")),
        captured_at=_moment(started),
        method=line.method,
        host=line.host,
        path=line.path,
        query=line.query,
        messages=tuple(_messages(flow)),
        content_type=headers.get("content-type", ""),
        body=uncoded(content, headers.get("content-encoding", "")),
        wants_sse=headers.get("x-dashscope-sse", "").lower() == "enable",
        beside=headers.get(CAPTURE_HEADER.lower(), ""),
        reply=_reply(reply) if reply else None,
        first_byte_s=_between(sent, first),
        total_s=_between(started, last),
    )


def _messages(flow: Fields) -> Iterator[SocketMessage]:
    """What went over a WebSocket: opcode, whether from the client, content, time, and whether it was dropped."""
    socket = flow.get("websocket")
    messages = socket.get("messages") if isinstance(socket, dict) else None
    for message in messages if isinstance(messages, list) else ():
        match message:
            case [1, bool(is_sent), bytes(data), at_s, False, *_]:
                yield SocketMessage(is_sent=is_sent, at_s=_number(at_s), data=data)


def _reply(response: Fields) -> HttpReply:
    headers = _wanted_fields(response)
    status, content = response.get("status_code"), response.get("content")
    body: bytes | None = None
    if isinstance(content, bytes):
        try:
            body = uncoded(content, headers.get("content-encoding", ""))
        except Unusable:
            body = None
    return HttpReply(
        status=status if isinstance(status, int) and 100 <= status <= 599 else 0,
        content_type=headers.get("content-type", ""),
        body=body,
    )


def _wanted_fields(message: Fields) -> dict[str, str]:
    """The few fields that tell what the body is; no other is looked at."""
    found: dict[str, str] = {}
    headers = message.get("headers")
    for field in headers if isinstance(headers, list) else ():
        match field:
            case [bytes(name), bytes(value)] if name.lower() in _WANTED:
                found.setdefault(name.decode().lower(), value.decode("latin-1"))
    return found


_WANTED: Final = frozenset({b"content-type", b"content-encoding", b"x-dashscope-sse", CAPTURE_HEADER.lower().encode()})


def _latin(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _number(value: Value) -> float | None:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 else None
    )


def _between(start: float | None, end: float | None) -> float | None:
    return end - start if start is not None and end is not None and end >= start else None


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        raise Unusable("the time of the flow is out of range") from None
