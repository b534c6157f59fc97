"""HTTP/1.x messages as bytes off the wire: the few header fields that tell a speech request, and the body.

Fields outside `WANTED` are not read: keys, cookies and addresses never leave the recording. A message whose length is
cut, doubtful or told twice is refused rather than guessed at.
"""

import re
import zlib
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from replay.importers.capture_header import CAPTURE_HEADER
from replay.importers.records import Unusable
from replay.importers.unpacking import MAX_RECORD_BYTES

__all__ = [
    "MAX_HEAD_BYTES",
    "WANTED",
    "Head",
    "RequestLine",
    "read_body",
    "read_head",
    "request_line",
    "status_of",
    "uncoded",
]

WANTED: Final = frozenset(
    {"host", "content-type", "content-length", "content-encoding", "transfer-encoding", "x-dashscope-sse"}
    | {CAPTURE_HEADER.lower()}
)
MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_INTERIM: Final = 4
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1[0-9][0-9][ \r]")
_SOUND: Final = re.compile(rb"\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\x00]*\r\n)*")
_NAMES: Final = b"|".join(name.encode() for name in sorted(WANTED))
_WANTED_FIELD: Final = re.compile(rb"\r\n(" + _NAMES + rb"):([^\r]*)", re.IGNORECASE)
_CHUNK_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]{0,200}\r\n")


class Head(NamedTuple):
    """The first line of a message and the fields that are of use."""

    first: str
    fields: dict[str, str]  # lower-case name → value, of WANTED only
    body_at: int  # where the body begins

    @property
    def declared_bytes(self) -> int | None:
        """The body's size as the head promises it; None where it does not."""
        value = self.fields.get("content-length")
        return int(value) if value is not None else None


class RequestLine(NamedTuple):
    """What a request asks for."""

    method: str
    host: str
    path: str  # without its query
    query: str = ""


def read_head(data: bytes, start: int = 0) -> Head:
    """The head that begins at `start`; an interim reply (100 Continue) is passed over.

    Raises:
        Unusable: It has no end, is oversized or ambiguous.
    """
    end = _head_end(data, start)
    for _ in range(_MAX_INTERIM):
        if not _INTERIM.match(data, start):
            break
        start = end + 4
        end = _head_end(data, start)
    first_end = data.find(b"\r\n", start, end + 2)
    return Head(data[start:first_end].decode("latin-1"), _fields(data, first_end, end + 2), end + 4)


def _head_end(data: bytes, start: int) -> int:
    end = data.find(b"\r\n\r\n", start, start + MAX_HEAD_BYTES)
    if end < 0:
        raise Unusable("the HTTP head has no end within 64 KiB")
    return end


def _fields(data: bytes, start: int, end: int) -> dict[str, str]:
    # A line break inside a field, a folded line or a space before the colon is how requests are smuggled.
    if not _SOUND.fullmatch(data, start, end):
        raise Unusable("the HTTP head holds a malformed field")
    found: dict[str, str] = {}
    for field in _WANTED_FIELD.finditer(data, start, end):
        wanted, value = field[1].decode().lower(), field[2].strip().decode("latin-1")
        if found.setdefault(wanted, value) != value:
            raise Unusable(f"the HTTP head tells {wanted} twice")
    length = found.get("content-length")
    if length is not None and not re.fullmatch("[0-9]{1,15}", length):
        raise Unusable("the HTTP head holds an unusable content-length")
    if length is not None and "transfer-encoding" in found:
        raise Unusable("the HTTP head tells the length in two ways")
    return found


def request_line(head: Head) -> RequestLine:
    """Method, host and path, from a target in origin or absolute form.

    Raises:
        Unusable: It is no request.
    """
    method, _, rest = head.first.partition(" ")
    target, _, version = rest.rpartition(" ")
    if not version.startswith("HTTP/") or not method.isalpha() or not target or not target.isprintable():
        raise Unusable("this is no HTTP request")
    host, (path, _, query) = head.fields.get("host", ""), target.partition("?")
    if not target.startswith("/"):
        try:
            parts = urlsplit(target)
            host, path, query = parts.hostname or host, parts.path, parts.query
        except ValueError:
            raise Unusable("this is no HTTP request") from None
    return RequestLine(method, host.partition(":")[0].lower(), path, query)


def status_of(head: Head) -> int:
    """The status of a reply.

    Raises:
        Unusable: It is no reply.
    """
    match = re.match(r"HTTP/[0-9.]{1,3} ([1-5][0-9]{2})( |$)", head.first)
    if not match:
        raise Unusable("this is no HTTP reply")
    return int(match[1])


def read_body(head: Head, data: bytes) -> bytes:
    """The body, without its framing and compression.

    Raises:
        Unusable: It is cut short, longer than allowed, or packed in a way that is not read here.
    """
    raw = data[head.body_at :]
    framing = head.fields.get("transfer-encoding", "").lower()
    declared = head.declared_bytes
    if framing == "chunked":
        raw = _unchunked(raw)
    elif framing not in ("", "identity"):
        raise Unusable("the HTTP body is framed in a way that is not known here")
    elif declared is not None:
        if len(raw) < declared:
            raise Unusable(f"the body is cut short: {len(raw)} of {declared} bytes are there")
        raw = raw[:declared]
    return uncoded(raw, head.fields.get("content-encoding", ""))


def _unchunked(raw: bytes) -> bytes:
    chunks: list[bytes] = []
    position = 0
    while match := _CHUNK_SIZE.match(raw, position):
        size, start = int(match[1], 16), match.end()
        if size == 0:
            return b"".join(chunks)
        chunk = raw[start : start + size]
        if len(chunk) < size or raw[start + size : start + size + 2] != b"\r\n":
            break
        chunks.append(chunk)
        position = start + size + 2
    raise Unusable("the body is cut short: its chunks have no end")


def uncoded(raw: bytes, coding: str) -> bytes:
    """The body without its content coding (gzip, deflate, or none).

    Raises:
        Unusable: The coding is another, damaged, or unfolds beyond the allowed size.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return raw
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Unusable("the body is compressed in a way that is not read here")
    # 32: gzip or zlib, by its own header. Some senders of "deflate" leave the header out (-15).
    for window in (47, -15) if coding == "deflate" else (47,):
        inflater = zlib.decompressobj(window)
        try:
            body = inflater.decompress(raw, MAX_RECORD_BYTES)
        except zlib.error:
            continue
        if inflater.unconsumed_tail:
            raise Unusable(f"the body unfolds to more than {MAX_RECORD_BYTES >> 20} MiB")
        if inflater.eof:
            return body
        break
    raise Unusable("the compression of the body is damaged or cut short")
