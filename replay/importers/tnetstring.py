"""Typed netstrings: `<length>:<payload><type>`, the encoding of mitmproxy's flow files.

    ,  bytes    ;  text    #  integer    ^  float    !  boolean    ~  nothing    ]  list    }  mapping

Only data can be written in it, so reading a stranger's file runs nothing.
"""

from typing import Final

from replay.importers.unpacking import Readable

__all__ = ["Malformed", "TooLarge", "Value", "read_value"]

Value = bytes | str | int | float | bool | None | list["Value"] | dict[str, "Value"]

_MAX_LENGTH_DIGITS: Final = 12
_MAX_DEPTH: Final = 40
_MAX_NUMBER_DIGITS: Final = 64


class Malformed(ValueError):
    """This is no typed netstring."""


class TooLarge(ValueError):
    """A value larger than allowed; it was passed over, and the next one can be read."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(str(size_bytes))
        self.size_bytes = size_bytes


def read_value(source: Readable, *, max_bytes: int) -> Value:
    """The next value of the source.

    Raises:
        EOFError: The source has ended before the value began.
        TooLarge: It has more than `max_bytes`.
        Malformed: It is cut short or no typed netstring; where the next one begins cannot be known.
    """
    length = _read_length(source)
    if length > max_bytes:
        _pass_over(source, length + 1)
        raise TooLarge(length)
    data = _read_exactly(source, length + 1)
    return _value(memoryview(data)[:-1], data[-1], _MAX_DEPTH)


def _read_length(source: Readable) -> int:
    digits = b""
    while True:
        byte = source.read(1)
        if byte == b":" and digits:
            return int(digits)
        if not byte and not digits:
            raise EOFError
        if not byte.isdigit() or len(digits) == _MAX_LENGTH_DIGITS:
            raise Malformed
        digits += byte


def _read_exactly(source: Readable, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = source.read(size)
        if not part:
            raise Malformed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _pass_over(source: Readable, size: int) -> None:
    while size:
        part = source.read(min(size, 1 << 18))
        if not part:
            raise Malformed
        size -= len(part)


def _value(payload: memoryview, kind: int, depth: int) -> Value:
    if depth == 0:
        raise Malformed
    match chr(kind):
        case ",":
            return bytes(payload)
        case ";":
            return _text(payload)
        case "#" | "^":
            return _number(payload, chr(kind))
        case "!" if bytes(payload[:6]) in (b"true", b"false"):
            return payload[:1] == memoryview(b"t")
        case "~" if not payload:
            return None
        case "]":
            return _items(payload, depth)
        case "}":
            return _mapping(_items(payload, depth))
        case _:
            raise Malformed


def _text(payload: memoryview) -> str:
    try:
        return str(payload, "utf-8")
    except UnicodeDecodeError:
        raise Malformed from None


def _number(payload: memoryview, kind: str) -> int | float:
    if len(payload) > _MAX_NUMBER_DIGITS:
        raise Malformed
    try:
        return int(bytes(payload)) if kind == "#" else float(bytes(payload))
    except ValueError:
        raise Malformed from None


def _items(payload: memoryview, depth: int) -> list[Value]:
    items: list[Value] = []
    position = 0
    while position < len(payload):
        head = bytes(payload[position : position + _MAX_LENGTH_DIGITS + 1])
        digits, colon, _ = head.partition(b":")
        if not colon or not digits.isdigit():
            raise Malformed
        start = position + len(digits) + 1
        end = start + int(digits)
        if end >= len(payload):
            raise Malformed
        items.append(_value(payload[start:end], payload[end], depth - 1))
        position = end + 1
    return items


def _mapping(items: list[Value]) -> dict[str, Value]:
    """Keys are bytes in older files and text in newer ones."""
    if len(items) % 2:
        raise Malformed
    mapping: dict[str, Value] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, bytes):
            key = key.decode("latin-1")
        if not isinstance(key, str):
            raise Malformed
        mapping[key] = value
    return mapping
