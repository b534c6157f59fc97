"""The items of one array deep inside a JSON document, cut out one by one while the document streams by.

Follows brackets and strings only; whether an item is sound JSON is for its reader to say.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from replay.importers.unpacking import MAX_RECORD_BYTES, Readable, pieces

__all__ = ["Item", "items_at"]

_MARK: Final = re.compile(rb'[\\"{}\[\]:,]')
_IN_STRING: Final = re.compile(rb'[\\"]')
_OPENING: Final = b"{["
_CLOSING: Final = b"}]"
_BACKSLASH, _QUOTE, _COLON, _ARRAY = b'\\":['
_LONGEST_KEY_BYTES: Final = 64


class Item(NamedTuple):
    """One item as it stands in the document."""

    data: bytes  # empty when it is larger than allowed
    size_bytes: int
    is_closed: bool  # the document did not end inside it


def items_at(source: Readable, path: tuple[str, ...], *, max_bytes: int = MAX_RECORD_BYTES) -> Iterator[Item]:
    """The objects in the array that stands at `path`, such as ("log", "entries"); nothing when it is not there."""
    scanner = _Scanner(tuple(name.encode() for name in path), max_bytes)
    for piece in pieces(source):
        yield from scanner.feed(piece)
    yield from scanner.end()


class _Scanner:
    """Where in the document we are."""

    def __init__(self, path: tuple[bytes, ...], max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keys: list[bytes] = []  # the key that each open container stands under, down to the array
        self._depth = 0
        self._is_inside = False  # of the array
        self._in_string = self._is_escaped = False
        self._string: bytearray | None = None  # a key that may be on the path
        self._key = b""
        self._parts: list[bytes] | None = None  # the item under way
        self._start = 0  # where in the piece it begins
        self._size_bytes = 0

    def feed(self, piece: bytes) -> Iterator[Item]:
        """The items that end in this piece."""
        position, self._start = int(self._is_escaped), 0
        self._is_escaped = False
        while match := (_IN_STRING if self._in_string else _MARK).search(piece, position):
            at = match.start()
            self._spell(piece[position:at])
            position = at + 1
            if piece[at] == _BACKSLASH:  # what follows it is no mark
                self._is_escaped = position >= len(piece)
                position += 1
            elif piece[at] == _QUOTE:
                self._quote()
            elif piece[at] in _OPENING:
                self._open(piece[at], at)
            elif piece[at] in _CLOSING:
                if self._close():
                    self._add(piece[self._start : position])
                    yield self._take(is_closed=True)
            else:
                self._key = bytes(self._string or b"") if piece[at] == _COLON and self._is_on_path else b""
        self._spell(piece[position:])
        if self._parts is not None:
            self._add(piece[self._start :])

    @property
    def _is_on_path(self) -> bool:
        return self._depth <= len(self._path)

    def end(self) -> Iterator[Item]:
        """The item that the document ended in, if it did."""
        if self._parts is not None:
            yield self._take(is_closed=False)

    def _quote(self) -> None:
        self._in_string = not self._in_string
        if self._in_string:
            self._string = bytearray() if self._is_on_path else None

    def _spell(self, part: bytes) -> None:
        """Gather the string under way, where it may be a key on the path."""
        if self._in_string and self._string is not None and len(self._string) < _LONGEST_KEY_BYTES:
            self._string += part

    def _open(self, mark: int, at: int) -> None:
        if self._is_on_path:
            self._keys[max(0, self._depth - 1) :] = [self._key] if self._depth else []
            is_array = mark == _ARRAY and self._depth == len(self._path)
            self._is_inside = is_array and tuple(self._keys) == self._path
        elif self._is_inside and self._depth == len(self._path) + 1 and mark != _ARRAY:
            self._parts, self._size_bytes, self._start = [], 0, at
        self._key = b""
        self._depth += 1

    def _close(self) -> bool:
        """Whether the item under way ends here."""
        self._depth -= 1
        if self._is_on_path:
            self._is_inside = False
        return self._parts is not None and self._depth == len(self._path) + 1

    def _add(self, part: bytes) -> None:
        self._size_bytes += len(part)
        if self._parts is not None and self._size_bytes <= self._max_bytes:
            self._parts.append(part)

    def _take(self, *, is_closed: bool) -> Item:
        whole = self._size_bytes <= self._max_bytes
        item = Item(b"".join(self._parts or ()) if whole else b"", self._size_bytes, is_closed)
        self._parts = None
        return item
