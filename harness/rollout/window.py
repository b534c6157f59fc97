"""Counts of the last minutes: added up as they come, dropped as they age. Kept by the minute, so days cost little."""

from collections import deque
from collections.abc import Iterable
from typing import Final

__all__ = ["Window"]

_MINUTE_S: Final = 60

Cell = list[int]  # minute since 1970, then one sum for each figure; integers, so that subtracting stays exact


class Window:
    """Sums of some figures over the last `length_s` seconds, to the minute.

    Time that steps back is taken for the latest minute seen, so a corrected clock loses nothing.
    """

    def __init__(self, length_s: float, *, figures: int) -> None:
        self.sums = [0] * figures
        self._minutes = max(1, int(length_s // _MINUTE_S))
        self._cells: deque[Cell] = deque()

    def add(self, at_s: float, values: Iterable[int]) -> None:
        """Count one event."""
        self.advance(at_s)
        cell = self._cells[-1]
        for place, value in enumerate(values, start=1):
            cell[place] += value
            self.sums[place - 1] += value

    def advance(self, at_s: float) -> None:
        """Drop what has grown too old by `at_s`."""
        minute = int(at_s // _MINUTE_S)
        if not self._cells or minute > self._cells[-1][0]:
            self._cells.append([minute, *([0] * len(self.sums))])
        while self._cells[0][0] <= self._cells[-1][0] - self._minutes:
            for place, value in enumerate(self._cells.popleft()[1:]):
                self.sums[place] -= value

    def dump(self) -> list[Cell]:
        """The cells as plain JSON values."""
        return [list(cell) for cell in self._cells]

    def load(self, cells: list[Cell]) -> None:
        """Go on from what `dump` gave."""
        self._cells = deque([list(cell) for cell in cells])
        self.sums = [sum(cell[place] for cell in cells) for place in range(1, len(self.sums) + 1)]
