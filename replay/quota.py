"""How fast a replay may call each provider: per second and per minute, whatever asks.

asyncio-throttle is the guard. Each throttle stands behind a lock: bare, every waiter polls it and newcomers barge in
(measured: 36 % of a core for a thousand waiters, against 0.9 %).
"""

import asyncio

from asyncio_throttle import Throttler  # type: ignore[attr-defined]  # exported, without saying so

from harness.config import QuotaSettings

__all__ = ["Quota"]


class Quota:
    """Admits calls to one provider in order, never above its rates in any window."""

    def __init__(self, settings: QuotaSettings) -> None:
        self._throttlers = [
            Throttler(rate_limit=settings.per_minute, period=60.0),
            Throttler(rate_limit=settings.per_second, period=1.0),
        ]
        self._lock = asyncio.Lock()
        self.waiting = 0  # callers not yet admitted

    async def admit(self) -> None:
        """Wait for a place in every window."""
        self.waiting += 1
        try:
            async with self._lock:
                for throttler in self._throttlers:
                    await throttler.acquire()  # type: ignore[no-untyped-call]  # ships no types
        finally:
            self.waiting -= 1
