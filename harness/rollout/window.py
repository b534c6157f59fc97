"""Counts of the last minutes, hours and days: kept by the minute, so that days cost little."""

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["Cell", "Window"]

_MINUTE_S: Final = 60

Cell = list[int]  # minute since 1970, then one sum for each figure


class Window:
    """Sums of some figures over the last so many seconds, to the minute, for several lengths at once.

    Figures are integers, so that subtracting what has grown old stays exact. Time that steps back is taken for the
    latest minute seen, so a corrected clock loses nothing.
    """

    _minute: int  # the current one
    _now: list[int]  # its sums so far
    _past: dict[int, list[int]]  # length → sums over the minutes before it
    _cells: dict[int, list[int]]  # those minutes, oldest first

    def __init__(self, lengths_s: Iterable[int], *, figures: int) -> None:
        self._figures = figures
        self._minutes = {length_s: max(1, length_s // _MINUTE_S) for length_s in lengths_s}
        self._longest = max(self._minutes.values())
        self._clear(minute=0)

    def add(self, at_s: float, values: Sequence[int]) -> None:
        """Count one event; costs the same whatever the lengths."""
        self.advance(at_s)
        now = self._now
        for place, value in enumerate(values):
            now[place] += value

    def sums(self, length_s: int) -> list[int]:
        """The sums over one of the lengths."""
        return [past + now for past, now in zip(self._past[length_s], self._now, strict=True)]

    def advance(self, at_s: float) -> None:
        """Let time pass, up to `at_s`."""
        minute = int(at_s // _MINUTE_S)
        if minute <= self._minute:
            return
        if minute - self._minute >= self._longest:
            self._clear(minute)
            return
        if any(self._now):
            self._cells[self._minute] = self._now
            for past in self._past.values():
                _add(past, self._now, 1)
        for length_s, minutes in self._minutes.items():
            for old in range(self._minute - minutes + 1, minute - minutes + 1):
                _add(self._past[length_s], self._cells.get(old, ()), -1)
        for old in range(self._minute - self._longest + 1, minute - self._longest + 1):
            self._cells.pop(old, None)
        self._minute, self._now = minute, [0] * self._figures

    def dump(self) -> list[Cell]:
        """The cells that hold something, oldest first, as plain JSON values."""
        cells = [[minute, *cell] for minute, cell in self._cells.items()]
        return [*cells, [self._minute, *self._now]] if any(self._now) else cells

    def load(self, cells: list[Cell]) -> None:
        """Go on from what `dump` gave."""
        self._clear(minute=0)
        for minute, *cell in cells:
            self.add(minute * _MINUTE_S, cell)

    def _clear(self, minute: int) -> None:
        """Forget everything; it is `minute` now."""
        self._minute = minute
        self._now = [0] * self._figures
        self._past = {length_s: [0] * self._figures for length_s in self._minutes}
        self._cells = {}


def _add(sums: list[int], cell: Iterable[int], sign: int) -> None:
    for place, value in enumerate(cell):
        sums[place] += sign * value
