"""An event loop whose time jumps to the next timer instead of waiting for it: hours of asyncio in a blink.

Timers of the loop itself, `asyncio.sleep` and `asyncio.timeout` obey it. What a thread would do is done at once, so
that no time passes while a real disk works.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

__all__ = ["VirtualClock", "run_in_virtual_time"]

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):  # type: ignore[misc]  # chosen by platform
    """Polls, and where it would have waited moves the time on."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("every task waits and no timer is set: nothing would ever happen")
        if not events:
            self.passed_s += max(0.0, timeout or 0.0)
        return events


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed_s

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]  # with its own variadics
        future: asyncio.Future[T] = self.create_future()
        future.set_result(func(*args))
        return future


class VirtualClock:
    """The clock of a virtual loop."""

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def run_in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns, however long it sleeps."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(work)
