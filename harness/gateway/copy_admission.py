"""The gate before every paid call of a copy: kill switch, quota share, the day's budget, a durable note.

Copies must never harm production, which shares the account: they keep to a share of the quota, slow down at the
first 429, and stop for the day when their money is used up.
"""

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from harness.clock import Clock
from harness.config import QuotaSettings
from harness.errors import BudgetExceeded, NotAdmitted, StoreError
from harness.gateway.live_run import LiveRun
from harness.providers.base import PaidCall, settlement

__all__ = ["CopyAdmission", "DayBudget", "Pace"]

_SLOWER: Final = 0.5  # by each 429 …
_SLOWEST: Final = 1 / 64
_RECOVERY_S: Final = 100.0  # … and from half to full speed again in this time


class Pace:
    """Lets calls out evenly, never above the copies' share of the quota in any window."""

    def __init__(self, quota: QuotaSettings, *, clock: Clock, processes: int = 1) -> None:
        self._interval_s = processes * max(60.0 / quota.per_minute, 1.0 / quota.per_second) / quota.share
        self._clock = clock
        self._lock = asyncio.Lock()
        self._next_s = -float("inf")
        self._factor = 1.0
        self._slowed_s = -float("inf")

    @property
    def factor(self) -> float:
        """The part of their share that copies take now."""
        recovered = self._factor + (self._clock.monotonic() - self._slowed_s) / (2 * _RECOVERY_S)
        return min(1.0, recovered)

    async def admit(self) -> None:
        """Wait for the next place."""
        async with self._lock:
            now_s = self._clock.monotonic()
            due_s = max(now_s, self._next_s)
            if due_s > now_s:
                await self._clock.sleep(due_s - now_s)
            self._next_s = due_s + self._interval_s / self.factor

    def slow_down(self) -> None:
        """Take note of a 429 that anybody got, a caller's own call included."""
        self._factor = max(_SLOWEST, self.factor * _SLOWER)
        self._slowed_s = self._clock.monotonic()


class DayBudget:
    """What copies may still cost today, UTC, in whole micro-dollars; reserved at the worst, settled when it is over."""

    def __init__(self, cap_microusd: int, *, clock: Clock) -> None:
        """Allow at most so much a day; nothing of today's is gone yet."""
        self.cap_microusd = cap_microusd
        self._clock = clock
        self._spent = 0
        self._reserved = 0  # by calls under way, of whichever day
        self._day: date = clock.now().date()

    @property
    def spent_microusd(self) -> int:
        """What was booked today."""
        if self._clock.now().date() != self._day:
            self._day, self._spent = self._clock.now().date(), 0
        return self._spent

    def book(self, microusd: int) -> None:
        """Count what was spent today without a reservation, such as before this process began."""
        self._spent = self.spent_microusd + microusd

    def reserve(self, call: PaidCall) -> int:
        """Set aside the most that `call` can cost, and return it.

        Raises:
            BudgetExceeded: It does not fit, or its price is unknown.
        """
        worst = call.worst_microusd
        if worst is None:
            raise BudgetExceeded(f"{call.provider}: no price is known for this call, so no budget can cover it")
        if self.spent_microusd + self._reserved + worst > self.cap_microusd:
            raise BudgetExceeded(f"copies have used up their ${self.cap_microusd / 1e6:.2f} of today")
        self._reserved += worst
        return worst

    def settle(self, reserved: int, microusd: int | None) -> int:
        """Book a reserved call: its cost, or all that was reserved when nobody knows it."""
        booked = reserved if microusd is None else microusd
        self.book(booked)
        self._reserved -= reserved
        return booked


class CopyAdmission:
    """Admits the paid calls of one copy."""

    def __init__(
        self,
        leg: str,
        *,
        run: LiveRun,
        pace: Pace,
        budget: DayBudget,
        stop_reason: Callable[[], str | None],
        clock: Clock,
    ) -> None:
        """Admit calls of `leg`, while `stop_reason` gives none."""
        self._leg = leg
        self._run = run
        self._pace = pace
        self._budget = budget
        self._stop_reason = stop_reason
        self._clock = clock
        self._open: dict[PaidCall, tuple[str, int]] = {}  # call → its id, and what is reserved
        self._calls = 0
        self.admitted_at: datetime | None = None  # the first time
        self.admitted_s: float | None = None
        self.own_wait_s = 0.0  # what later calls waited here
        self.booked_microusd = 0

    async def admit(self, call: PaidCall) -> None:
        """Return when `call` may be sent; its worst cost is reserved and its intent on disk.

        Raises:
            NotAdmitted: Copies are switched off, or the journal cannot be written.
            BudgetExceeded: It could cost more than is left of the day.
        """
        began_s = self._clock.monotonic()
        await self._pace.admit()
        stopped = self._stop_reason()  # after the wait, right before the bytes
        if stopped:
            raise NotAdmitted(stopped)
        call_id = f"{self._leg}#{self._calls}"
        self._open[call] = call_id, self._budget.reserve(call)
        self._run.write(call.intent(call_id, leg=self._leg, at=self._clock.now()))
        try:
            await self._run.commit()
        except StoreError as error:
            self.settle(call, 0)
            raise NotAdmitted(str(error)) from None
        except BaseException:
            self.settle(call, 0)  # never sent
            raise
        self._note_wait(began_s)

    def _note_wait(self, began_s: float) -> None:
        if self._calls:
            self.own_wait_s += self._clock.monotonic() - began_s
        else:
            self.admitted_at, self.admitted_s = self._clock.now(), self._clock.monotonic()
        self._calls += 1

    def settle(self, call: PaidCall, microusd: int | None) -> None:
        """Book what `call` cost; None keeps its reservation as spent."""
        call_id, reserved = self._open.pop(call)
        booked = self._budget.settle(reserved, microusd)
        self.booked_microusd += booked
        self._run.write(settlement(call_id, booked, known=microusd is not None))

    def close(self) -> None:
        """Book what was never settled at its worst."""
        for call in list(self._open):
            self.settle(call, None)
