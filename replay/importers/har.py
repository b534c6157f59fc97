"""HAR 1.2 as browsers and proxies export it, entry by entry, with the oddities seen in the wild (capture-formats.md 2).

HAR has no place for binary request bodies: an upload whose size does not match what is there is refused.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from harness.errors import ErrorKind
from replay.importers.capture_header import CAPTURE_HEADER
from replay.importers.exchanges import HttpExchange, HttpReply, SocketMessage
from replay.importers.http_message import RequestLine
from replay.importers.json_body import load_object
from replay.importers.json_items import Item, items_at
from replay.importers.records import ForeignFormat, LeftOut, Skipped, Unusable
from replay.importers.unpacking import MAX_RECORD_BYTES, Readable

__all__ = ["read_har"]

_ENTRIES: Final = ("log", "entries")
_PHASES: Final = ("blocked", "dns", "connect", "send", "wait")  # until the first byte; ssl is part of connect
# What Chrome writes into `_error`, by its beginning.
_NET_ERRORS: Final = MappingProxyType(
    {
        "net::ERR_NAME": ErrorKind.DNS,
        "net::ERR_CONNECTION_TIMED_OUT": ErrorKind.TIMEOUT_CONNECT,
        "net::ERR_TIMED_OUT": ErrorKind.TIMEOUT_TOTAL,
        "net::ERR_CONNECTION": ErrorKind.CONN_RESET,
        "net::ERR_EMPTY_RESPONSE": ErrorKind.CONN_RESET,
        "net::ERR_CERT": ErrorKind.TLS,
        "net::ERR_SSL": ErrorKind.TLS,
        "net::ERR_ABORTED": ErrorKind.CANCELLED,
    }
)


def read_har(
    source: Readable, *, wanted: Callable[[RequestLine], bool]
) -> Iterator[tuple[int, HttpExchange | LeftOut]]:
    """Every entry with its number: a speech request with its reply, or why it is left out.

    Raises:
        ForeignFormat: There is no `log.entries` with an object in it.
    """
    number = 0
    for number, item in enumerate(items_at(source, _ENTRIES), start=1):
        try:
            yield number, _exchange(number, _entry(item), wanted)
        except LeftOut as reason:
            yield number, reason
    if not number:
        raise ForeignFormat('there is no entry in "log.entries"; export the traffic anew as HAR with content')


def _entry(item: Item) -> dict[str, Any]:
    if not item.is_closed:
        raise Unusable("the file ends inside this entry")
    if not item.data:
        raise Unusable(f"the entry has {item.size_bytes} bytes, more than the {MAX_RECORD_BYTES} that are read")
    return load_object(item.data, what="the entry")


def _exchange(number: int, entry: dict[str, Any], wanted: Callable[[RequestLine], bool]) -> HttpExchange:
    request = _section(entry, "request")
    line = _request_line(request)
    if not wanted(line):
        raise Skipped("not a speech endpoint")
    has_body = line.method != "GET"
    if has_body and request.get("postData") is None:
        raise Unusable("the body is not in the file")
    post = _section(request, "postData") if has_body else {}
    started = entry.get("startedDateTime")
    if not isinstance(started, str):
        raise Unusable('"startedDateTime" is missing')
    reply = _reply(entry)
    return HttpExchange(
        key=str(number),
        captured_at=started,
        method=line.method,
        host=line.host,
        path=line.path,
        query=line.query,
        messages=tuple(_messages(entry)),
        content_type=_text(post.get("mimeType")),
        body=_body(request, post) if has_body else b"",
        wants_sse=_field(request, "x-dashscope-sse").lower() == "enable",
        beside=_field(request, CAPTURE_HEADER.lower()),
        reply=reply,
        first_byte_s=_first_byte_s(entry) if reply.status else None,
        total_s=_seconds(entry.get("time")),
    )


def _messages(entry: dict[str, Any]) -> Iterator[SocketMessage]:
    """What went over a WebSocket, as Chrome writes it down."""
    for message in _list(entry, "_webSocketMessages"):
        match message:
            case {"type": "send" | "receive" as way, "data": str(data)}:
                at_s = message.get("time")
                is_time = isinstance(at_s, int | float) and 0 <= at_s < 1e12
                yield SocketMessage(is_sent=way == "send", at_s=float(at_s) if is_time else None, data=data)


def _section(fields: dict[str, Any], name: str) -> dict[str, Any]:
    section = fields.get(name)
    if not isinstance(section, dict):
        raise Unusable(f'"{name}" is missing')
    return section


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    found = fields.get(name)
    return found if isinstance(found, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _request_line(request: dict[str, Any]) -> RequestLine:
    try:
        url = urlsplit(_text(request.get("url")))
        host = url.hostname or ""
    except ValueError:
        raise Unusable("the address is malformed") from None
    return RequestLine(_text(request.get("method")), host, url.path, url.query)


def _field(request: dict[str, Any], wanted: str) -> str:
    """A header, by its name in lower case; empty where it is not there. No field is read but those asked for."""
    for field in _list(request, "headers"):
        match field:
            case {"name": str(name), "value": str(value)} | [str(name), str(value)]:  # Slack exports pairs
                if name.lower() == wanted:
                    return value
    return ""


def _body(request: dict[str, Any], post: dict[str, Any]) -> bytes:
    text = post.get("text")
    if not isinstance(text, str) or (not text and post.get("params")):
        raise Unusable("the body is a form whose files are not in the file")
    if post.get("encoding") == "base64" or post.get("_encoding") == "base64":  # proposed for HAR 1.3
        return _unbase64(text)
    body = text.encode("utf-8", "surrogatepass")
    size = request.get("bodySize")
    if isinstance(size, int) and size >= 0 and size != len(body):
        raise Unusable(f"the body is mangled: {size} bytes were sent and {len(body)} are there")
    return body


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("the base64 of the body is damaged") from None


def _reply(entry: dict[str, Any]) -> HttpReply:
    response = entry.get("response")
    if not isinstance(response, dict):
        return HttpReply(status=0, content_type="", body=None)
    status = response.get("status")
    content = response.get("content")
    if not isinstance(content, dict):
        content = {}
    return HttpReply(
        status=status if isinstance(status, int) and 100 <= status <= 599 else 0,
        content_type=_text(content.get("mimeType")),
        body=_content(content),
        error=_net_error(_text(response.get("_error")) or _text(entry.get("_error"))),
    )


def _content(content: dict[str, Any]) -> bytes | None:
    """The reply's body; None where it was left out, as browsers do with media."""
    text = content.get("text")
    if not isinstance(text, str) or not text:
        return None
    if content.get("encoding") == "base64":
        try:
            return _unbase64(re.sub(r"\s", "", text))
        except Unusable:
            return None
    return text.encode("utf-8", "surrogatepass")


def _net_error(error: str) -> str | None:
    if error in list(ErrorKind):  # as our own export writes it
        return error
    return next((kind.value for start, kind in _NET_ERRORS.items() if error.startswith(start)), None)


def _seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 <= milliseconds < 1e12 else None


def _first_byte_s(entry: dict[str, Any]) -> float | None:
    timings = entry.get("timings")
    if not isinstance(timings, dict) or _seconds(timings.get("wait")) is None:
        return None
    return sum(_seconds(timings.get(phase)) or 0.0 for phase in _PHASES)
