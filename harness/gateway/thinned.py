"""Copies of live traffic, thinned to what a comparison needs: their work does not grow with the traffic.

One in two seconds is 43,200 pairs a day, more than any gate asks for; three hundred a second of 100 kB each would fill
a terabyte in ten hours, and be felt by callers (`python -m tests.benchmarks.shadow_harm`). Little traffic is taken
whole, since turns that nobody takes are saved for a while.
"""

from dataclasses import replace
from typing import Final

from harness.clock import Clock
from harness.exchanges import Lane
from harness.gateway.copies import Copies, Copy, ShadowCounts

__all__ = ["Thinned"]

_SAVED_S: Final = 300.0  # turns that nobody took in this time may be taken later, at once


class Thinned:
    """Looks like the copies behind it, which get so many a second at most.

    Which ones is settled by when they come and never by what became of the request, so that what is taken speaks for
    what is not. A probe is always taken: a breaker waits for it.
    """

    def __init__(self, copies: Copies, per_second: float, *, clock: Clock) -> None:
        """Hand on to `copies`, on average at most `per_second`."""
        self._copies = copies
        self._interval_s = 1.0 / per_second
        self._clock = clock
        self._next_s = -float("inf")  # when the next turn is
        self._thinned = 0

    @property
    def counts(self) -> ShadowCounts:
        """What became of all copies so far."""
        counts = self._copies.counts
        return replace(counts, offered=counts.offered + self._thinned, thinned=self._thinned)

    @property
    def waiting(self) -> int:
        """Copies that nobody works on yet."""
        return self._copies.waiting

    @property
    def spent_microusd(self) -> int:
        """What copies cost today."""
        return self._copies.spent_microusd

    def __contains__(self, lane: Lane | None) -> bool:
        """Whether copies can go to this lane."""
        return lane in self._copies

    def offer(self, copy: Copy) -> bool:
        """Take a copy if it has a turn and there is room, and say whether it was; never waits and never raises."""
        if copy.done is None and not self._takes_turn():
            self._thinned += 1
            return False
        return self._copies.offer(copy)

    def note_throttled(self, lane: Lane) -> None:
        """Take note that a caller's own call to this lane was answered 429."""
        self._copies.note_throttled(lane)

    def _takes_turn(self) -> bool:
        now_s = self._clock.monotonic()
        turn_s = max(self._next_s, now_s - _SAVED_S)
        if turn_s > now_s:
            return False
        self._next_s = turn_s + self._interval_s
        return True
