"""How fast a replay may call each provider: its share of the account, ramped up, slower after a 429.

asyncio-throttle is the guard. Each throttle stands behind a lock: bare, every waiter polls it and newcomers barge in
(measured: 36 % of a core for a thousand waiters, against 0.9 %).
"""

import asyncio
import time
from typing import Final

from asyncio_throttle import Throttler  # type: ignore[attr-defined]  # exported, without saying so

from harness.clock import Clock, SystemClock
from harness.config import QuotaSettings

__all__ = ["Quota"]

# Additive increase, multiplicative decrease: halved by a 429, at most once a second, then 1 % of the whole back every
# second. The floor keeps a replay alive that production has crowded out.
_DECREASE: Final = 0.5
_INCREASE_PER_S: Final = 0.01
_FLOOR: Final = 1 / 16
_ONE_DECREASE_S: Final = 1.0
_RAMP_FLOOR: Final = 0.05


class _Window(Throttler):
    """A throttle whose latest call can be dated anew: it may have waited for another window since it got its place."""

    def stamp(self) -> None:
        """Date the latest call now, by the throttle's own time."""
        self._task_logs[-1] = time.monotonic()  # noqa: TID251 - what the throttle compares it with


class Quota:
    """Admits calls to one provider in order, never above its rates in any window."""

    def __init__(self, settings: QuotaSettings, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._windows = (
            (settings.per_minute * settings.share, 60.0, _Window(rate_limit=1, period=60.0)),
            (settings.per_second * settings.share, 1.0, _Window(rate_limit=1, period=1.0)),
        )
        self._lock = asyncio.Lock()
        self._began_s: float | None = None
        self._slowed = 1.0  # the factor right after the latest 429 …
        self._slowed_at_s = 0.0  # … and when that was
        self.waiting = 0  # callers not yet admitted
        self.waited_s = 0.0  # what callers waited until they were, all together
        self.throttled = 0  # 429s seen

    async def admit(self) -> None:
        """Wait for a place in every window."""
        self.waiting += 1
        began_s = self._clock.monotonic()
        try:
            async with self._lock:
                for calls, period_s, throttler in self._windows:
                    self._set(throttler, calls, period_s)
                    await throttler.acquire()  # type: ignore[no-untyped-call]  # ships no types
                for _, _, throttler in self._windows:
                    throttler.stamp()
        finally:
            self.waiting -= 1
            self.waited_s += self._clock.monotonic() - began_s

    @property
    def rate_hz(self) -> float:
        """What its narrowest window allows in the long run."""
        return min(calls / period_s for calls, period_s, _ in self._windows)

    def slow_down(self) -> None:
        """Take note of a 429."""
        now_s = self._clock.monotonic()
        self.throttled += 1
        if self._slowed == 1.0 or now_s - self._slowed_at_s >= _ONE_DECREASE_S:
            self._slowed = max(_FLOOR, self.factor() * _DECREASE)
            self._slowed_at_s = now_s

    def factor(self) -> float:
        """The part of its share that the replay takes right now, above 0 and up to 1."""
        now_s = self._clock.monotonic()
        recovered = min(1.0, self._slowed + _INCREASE_PER_S * (now_s - self._slowed_at_s))
        if self._began_s is None:
            self._began_s = now_s
        ramp_s = self._settings.ramp_s
        ramped = 1.0 if not ramp_s else min(1.0, max(_RAMP_FLOOR, (now_s - self._began_s) / ramp_s))
        return recovered * ramped

    def _set(self, throttler: _Window, calls: float, period_s: float) -> None:
        """Allow `calls` a period, times the factor; below one, one call in a longer period."""
        allowed = calls * self.factor()
        throttler.rate_limit = max(1, int(allowed))
        throttler.period = period_s * max(1.0, throttler.rate_limit / allowed)
