"""Numbers for a great many strings, in the order in which they came, without keeping one of them: about 20 bytes each.

A string is known by 96 bits of it: Python's own keyed hash (SipHash) and a CRC-32. That two of two million look the
same has a chance of about 10⁻¹⁷.
"""

import zlib
from array import array
from dataclasses import dataclass, field
from typing import Final

__all__ = ["KeyTable"]

_FIRST_SLOTS: Final = 64
# Open addressing: between half and three quarters full, so that a look takes a few steps and a key 5 to 8 bytes of it.
_FULL: Final = 0.75
_GROWTH: Final = 1.5


def _no_slots() -> "array[int]":
    return array("I", bytes(4 * _FIRST_SLOTS))


@dataclass(slots=True)
class KeyTable:
    """String → its number, from 0."""

    _hashes: "array[int]" = field(default_factory=lambda: array("q"))  # by number
    _checks: "array[int]" = field(default_factory=lambda: array("I"))  # by number
    _slots: "array[int]" = field(default_factory=_no_slots)  # number + 1, at its hash or soon behind; 0 where free

    def __len__(self) -> int:
        return len(self._hashes)

    def number(self, key: str) -> int:
        """The number of `key`; the next one when it was not there yet."""
        code, check = hash(key), _check(key)
        slot = self._slot(code, check)
        if self._slots[slot]:
            return self._slots[slot] - 1
        self._hashes.append(code)
        self._checks.append(check)
        self._slots[slot] = len(self._hashes)
        if len(self._hashes) > _FULL * len(self._slots):
            self._grow()
        return len(self._hashes) - 1

    def find(self, key: str) -> int | None:
        """The number of `key`; None when it is not there."""
        number = self._slots[self._slot(hash(key), _check(key))]
        return number - 1 if number else None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.find(key) is not None

    def _slot(self, code: int, check: int) -> int:
        """Where a key stands, or would be put."""
        slots, size = self._slots, len(self._slots)
        slot = code % size
        while number := slots[slot]:
            if self._hashes[number - 1] == code and self._checks[number - 1] == check:
                break
            slot = slot + 1 if slot + 1 < size else 0
        return slot

    def _grow(self) -> None:
        self._slots = array("I", bytes(4 * int(_GROWTH * len(self._slots))))
        for number, (code, check) in enumerate(zip(self._hashes, self._checks, strict=True), start=1):
            self._slots[self._slot(code, check)] = number


def _check(key: str) -> int:
    return zlib.crc32(key.encode("utf-8", "surrogatepass"))
