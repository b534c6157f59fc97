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
        self._size_bytes = 0

    def feed(self, piece: bytes) -> Iterator[Item]:
        """The items that end in this piece."""
        position = 1 if self._is_escaped else 0
        item_start = 0
        self._is_escaped = False
        while match := (_IN_STRING if self._in_string else _MARK).search(piece, position):
            at, mark = match.start(), piece[match.start()]
            self._spell(piece[position:at])
            position = at + 1
            if mark == 0x5C:  # a backslash: what follows it is no mark
                self._is_escaped = position >= len(piece)
                position += 1
            elif mark == 0x22:
                self._quote()
            elif mark in _OPENING:
                if self._is_inside and self._depth == len(self._path) + 1 and self._parts is None and mark == 0x7B:
                    self._parts, self._size_bytes, item_start = [], 0, at
                self._open(mark)
            elif mark in _CLOSING:
                self._depth -= 1
                if self._parts is not None and self._depth == len(self._path) + 1:
                    self._add(piece[item_start:position])
                    yield self._take(is_closed=True)
                elif self._depth <= len(self._path):
                    self._is_inside = False
            elif mark == 0x3A and self._depth <= len(self._path):
                self._key = bytes(self._string or b"")
            else:
                self._key = b""
        self._spell(piece[position:])
        if self._parts is not None:
            self._add(piece[item_start:])

    def end(self) -> Iterator[Item]:
        """The item that the document ended in, if it did."""
        if self._parts is not None:
            yield self._take(is_closed=False)

    def _quote(self) -> None:
        self._in_string = not self._in_string
        if self._in_string:
            self._string = bytearray() if self._depth <= len(self._path) else None

    def _spell(self, part: bytes) -> None:
        """Gather the string under way, where it may be a key on the path."""
        if self._in_string and self._string is not None and len(self._string) < _LONGEST_KEY_BYTES:
            self._string += part

    def _open(self, mark: int) -> None:
        if self._depth <= len(self._path):
            self._keys[max(0, self._depth - 1) :] = [self._key] if self._depth else []
            if mark == 0x5B and self._depth == len(self._path) and tuple(self._keys) == self._path:
                self._is_inside = True
        self._key = b""
        self._depth += 1

    def _add(self, part: bytes) -> None:
        self._size_bytes += len(part)
        if self._parts is not None and self._size_bytes <= self._max_bytes:
            self._parts.append(part)

    def _take(self, *, is_closed: bool) -> Item:
        whole = self._size_bytes <= self._max_bytes
        item = Item(b"".join(self._parts or ()) if whole else b"", self._size_bytes, is_closed)
        self._parts = None
        return item
