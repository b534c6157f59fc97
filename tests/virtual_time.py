"""Event loops whose time jumps to the next timer instead of waiting for it: hours of asyncio in a blink.

Timers of the loop itself, `asyncio.sleep` and `asyncio.timeout` obey it. What a thread would do is done at once, so
that no time passes while a real disk works. However long the machine takes, no timer goes off too early for it.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

__all__ = ["VirtualClock", "loop_between_sockets", "run_in_virtual_time"]

T = TypeVar("T")

# What is written to a socket of this machine is there when the write returns, save where the kernel is behind.
_ARRIVAL_S = 0.02
_TURN_S = 0.0001  # of virtual time for each turn in which something arrives, lest an endless reply stop the clock


class _Jumping(selectors.DefaultSelector):  # type: ignore[misc]  # chosen by platform
    """Polls, and where it would have waited moves the time on."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self.arrived(timeout)
        if not events and timeout is None:
            raise RuntimeError("every task waits and no timer is set: nothing would ever happen")
        if not events:
            self.passed_s += max(0.0, timeout or 0.0)
        return events

    def arrived(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


class _JumpingBetweenSockets(_Jumping):
    """Gives what is on its way over a socket the moment it takes to arrive; without a timer it waits for good."""

    def arrived(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        events = selectors.DefaultSelector.select(self, None if timeout is None else min(timeout, _ARRIVAL_S))
        self.passed_s += _TURN_S if events else 0.0
        return events


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, jumping: _Jumping | None = None) -> None:
        self._jumping = jumping or _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed_s

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]  # with its own variadics
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - what it raises is for whoever awaits it, as a thread's would be
            future.set_exception(error)
        return future


class VirtualClock:
    """The clock of a virtual loop; on any other it tells that loop's time."""

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


def loop_between_sockets() -> asyncio.AbstractEventLoop:
    """A virtual loop for both ends of a socket: its time passes only while neither has anything to say."""
    return _VirtualLoop(_JumpingBetweenSockets())
