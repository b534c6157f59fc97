"""What time it is, and how to wait for later.

Everything that pauses or stamps takes a `Clock`, so that tests neither sleep nor race. Only `asyncio.timeout` uses the
event loop's own time.
"""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "FakeClock", "SystemClock"]


class Clock(Protocol):
    """A source of time that can also wait."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once, but yielding, when they are zero or negative."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on CLOCK_MONOTONIC, which every process of this machine shares."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(max(0.0, seconds))


class FakeClock:
    """Time that passes only when somebody sleeps: a sleeper jumps to its due moment, earliest first."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The start plus all that was slept."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Seconds slept so far."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Let time pass without anybody sleeping."""
        self._elapsed_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Wake in due order once every other ready task had its turn."""
        due_s = self._elapsed_s + max(0.0, seconds)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (due_s, next(self._order), future))
        while not future.done():
            # Several turns of the loop, so that tasks made ready by others get to sleep first.
            for _ in range(10):
                await asyncio.sleep(0)
            if not future.done() and self._sleepers:
                next_due_s, _, sleeper = heapq.heappop(self._sleepers)
                self._elapsed_s = max(self._elapsed_s, next_due_s)
                if not sleeper.done():
                    sleeper.set_result(None)
