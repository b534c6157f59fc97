"""Wake at an absolute moment, as exactly as the machine can.

Event-loop timers are rounded to a millisecond; a Linux timerfd on CLOCK_MONOTONIC is not (measured at 200 to 2,000
wake-ups a second: median error 0.05 ms against 0.5 to 1.1 ms). A processor that has been idle for some milliseconds
takes some 0.2 ms to wake, so the timer is set that much earlier, as learnt from how late it rang before; what is then
left to the moment is spun away. Elsewhere the clock's own sleep has to do.
"""

import asyncio
import contextlib
import ctypes
import math
import os
import sys
from types import TracebackType
from typing import Final, Protocol, Self

from harness.clock import Clock, SystemClock

__all__ = ["Alarm", "Lead", "open_alarm"]

# <sys/timerfd.h> and <time.h> of Linux.
_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_TFD_TIMER_ABSTIME: Final = 1
_EXPIRATIONS_BYTES: Final = 8  # what a read gives: how often it rang


class Alarm(Protocol):
    """Waits until a moment of the monotonic clock; one waiter at a time."""

    async def until(self, moment_s: float) -> None:
        """Return at `moment_s`, at once when it has passed."""
        ...

    async def __aenter__(self) -> Self:
        """Take what it needs."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        ...


def open_alarm(clock: Clock) -> Alarm:
    """The most exact alarm for this clock on this machine."""
    if isinstance(clock, SystemClock) and sys.platform == "linux":
        return _TimerAlarm(clock)
    return _SleepAlarm(clock)


class _SleepAlarm:
    """Sleeps on the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def until(self, moment_s: float) -> None:
        left_s = moment_s - self._clock.monotonic()
        if left_s > 0:
            await self._clock.sleep(left_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Lead:
    """How much earlier than its moment a timer is set: learnt, so that half of its rings come within `KEEP_S` after.

    Each ring moves it by the same step, however late it was: that finds the median, and one hiccup moves nothing.
    """

    KEEP_S: Final = 50e-6
    MOST_S: Final = 500e-6
    STEP_S: Final = 5e-6

    def __init__(self) -> None:
        self.value_s = 0.0

    def learn(self, late_s: float) -> None:
        """Take note of a ring that came so long after the moment for which the timer was set."""
        step_s = self.STEP_S if late_s - self.value_s > self.KEEP_S else -self.STEP_S
        self.value_s = min(max(0.0, self.value_s + step_s), self.MOST_S)


class _Moment(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Moment), ("value", _Moment))


class _TimerAlarm:
    """A timerfd that the event loop watches; the standard library has it only from Python 3.13 on."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = -1
        self._lead = Lead()
        self._rung: asyncio.Future[None]  # for who waits; there before the timer is set

    async def until(self, moment_s: float) -> None:
        now_s = self._clock.monotonic()
        if moment_s <= now_s:
            return
        set_s = moment_s - self._lead.value_s
        if set_s <= now_s:  # too soon to be early
            set_s = moment_s
        self._rung = asyncio.get_running_loop().create_future()
        self._set(set_s)
        await self._rung
        self._lead.learn(self._clock.monotonic() - set_s)
        while self._clock.monotonic() < moment_s:
            pass

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # set anew since the loop saw it ring
            os.read(self._descriptor, _EXPIRATIONS_BYTES)
            if not self._rung.done():  # who waited may have been cancelled
                self._rung.set_result(None)

    def _set(self, moment_s: float) -> None:
        moment = _Moment(*divmod(math.ceil(moment_s * 1e9), 10**9))  # up: never early
        timer = _Timer(_Moment(0, 0), moment)
        if self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(timer), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    async def __aenter__(self) -> Self:
        self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # Watched all the time: to begin and end it for each moment costs a third of what a moment does.
        asyncio.get_running_loop().add_reader(self._descriptor, self._ring)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
