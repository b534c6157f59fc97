"""When each capture is due, as seconds after the start: absolute, so that no error adds up.

Pure arithmetic; waiting is done elsewhere (replay/alarm.py). Running late changes nothing here: what is due is due, and
the lateness is measured.
"""

import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

__all__ = ["AsRecorded", "AtOnce", "Burst", "Constant", "Pacing", "Poisson", "parse_pacing"]


class Pacing(Protocol):
    """A schedule for any number of captures."""

    def due_s(self, recorded_s: Iterable[float]) -> Iterator[float | None]:
        """Due times in seconds from the start, never falling, one for each capture.

        Args:
            recorded_s: When each capture was seen in production, in seconds of any origin.

        Returns:
            None where a capture is due as soon as there is room for it.
        """
        ...


@dataclass(frozen=True, slots=True)
class AtOnce:
    """As fast as concurrency and quota allow."""

    def due_s(self, recorded_s: Iterable[float]) -> Iterator[float | None]:
        """Whenever there is room."""
        return (None for _ in recorded_s)


@dataclass(frozen=True, slots=True)
class Constant:
    """Evenly spaced."""

    rate_hz: float

    def due_s(self, recorded_s: Iterable[float]) -> Iterator[float | None]:
        """Number by rate."""
        return (number / self.rate_hz for number, _ in enumerate(recorded_s))


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent arrivals at a mean rate, as many unrelated callers make them."""

    rate_hz: float
    seed: int

    def due_s(self, recorded_s: Iterable[float]) -> Iterator[float | None]:
        """Sums of exponential gaps; the first capture is due at once."""
        gaps = random.Random(f"poisson:{self.seed}")
        due_s = 0.0
        for _ in recorded_s:
            yield due_s
            due_s += gaps.expovariate(self.rate_hz)


@dataclass(frozen=True, slots=True)
class Burst:
    """`size` at the same moment, again every `every_s` seconds."""

    size: int
    every_s: float

    def due_s(self, recorded_s: Iterable[float]) -> Iterator[float | None]:
        """Whole bursts apart."""
        return (number // self.size * self.every_s for number, _ in enumerate(recorded_s))


@dataclass(frozen=True, slots=True)
class AsRecorded:
    """As production saw it, faster or slower, with idle time cut.

    A gap longer than `max_gap_s` (as recorded) is shortened to it and everything after moves forward. A capture whose
    time lies before its predecessor's is due with it: never early, and a wrong clock cannot stop the replay.
    """

    speed: float = 1.0
    max_gap_s: float | None = None

    def due_s(self, recorded_s: Iterable[float]) -> Iterator[float | None]:
        """Recorded gaps by speed."""
        due_s, latest_s = 0.0, None
        for seen_s in recorded_s:
            gap_s = 0.0 if latest_s is None else max(0.0, seen_s - latest_s)
            latest_s = seen_s if latest_s is None else max(latest_s, seen_s)
            due_s += min(gap_s, self.max_gap_s if self.max_gap_s is not None else gap_s) / self.speed
            yield due_s

    def removed_s(self, recorded_s: Iterable[float]) -> float:
        """How much recorded time the gap limit cuts out."""
        if self.max_gap_s is None:
            return 0.0
        ordered = itertools.accumulate(recorded_s, max)
        return sum(max(0.0, later - earlier - self.max_gap_s) for earlier, later in itertools.pairwise(ordered))


def parse_pacing(text: str, *, seed: int, max_gap_s: float | None = None) -> Pacing:
    """The pacing that a person wrote: `at-once`, `recorded`, `recorded:4`, `constant:5`, `poisson:5`, `burst:20:10`.

    Raises:
        ValueError: It is none of these, or a number in it is not above zero; says what is valid.
    """
    name, *numbers = text.split(":")
    try:
        values = [float(number) for number in numbers]
        if any(not 0 < value < float("inf") for value in values):
            raise ValueError
        match name, values:
            case "at-once", []:
                return AtOnce()
            case "recorded", []:
                return AsRecorded(max_gap_s=max_gap_s)
            case "recorded", [speed]:
                return AsRecorded(speed, max_gap_s)
            case "constant", [rate_hz]:
                return Constant(rate_hz)
            case "poisson", [rate_hz]:
                return Poisson(rate_hz, seed)
            case "burst", [size, every_s] if size == int(size):
                return Burst(int(size), every_s)
    except ValueError:
        pass
    raise ValueError(
        f"{text!r} is no pacing; valid are at-once, recorded, recorded:SPEED, constant:PER_SECOND, "
        "poisson:PER_SECOND and burst:SIZE:EVERY_SECONDS, numbers above zero"
    )
