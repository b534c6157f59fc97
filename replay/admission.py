"""The gate before every paid call of a leg: quota, then money, then a durable note, and only then the bytes.

Also keeps how long each of these made the call wait, so that our own waiting is not taken for the provider's.
"""

from dataclasses import dataclass
from datetime import datetime

from harness.clock import Clock
from harness.errors import NotAdmitted
from harness.providers.base import PaidCall, settlement
from harness.store.logbook import Logbook
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.quota import Quota

__all__ = ["Admissions", "LegAdmission"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admissions:
    """What all admissions of a run share."""

    budget: Budget
    book: Logbook
    switch: KillSwitch
    clock: Clock

    def to(self, leg: str, quota: Quota, *, has_place: bool = False) -> "LegAdmission":
        """The admission of one leg; with `has_place` the quota has let its first call through already."""
        return LegAdmission(leg, quota=quota, shared=self, has_place=has_place)


class LegAdmission:
    """Admits the paid calls of one leg, or of one voice that is made beforehand."""

    def __init__(self, leg: str, *, quota: Quota, shared: Admissions, has_place: bool) -> None:
        self._leg = leg
        self._quota = quota
        self._budget = shared.budget
        self._book = shared.book
        self._switch = shared.switch
        self._clock = shared.clock
        self._has_place = has_place
        self._open: dict[PaidCall, str] = {}  # call → its id in journal and budget
        self._calls = 0
        self._latest: PaidCall | None = None
        self.admitted_at: datetime | None = None  # the first time
        self.admitted_s: float | None = None  # the same, by the monotonic clock
        self.own_wait_s = 0.0  # what calls after the first waited here

    async def admit(self, call: PaidCall) -> None:
        """Return when `call` may be sent; its worst cost is reserved and its intent on disk.

        Raises:
            NotAdmitted: The kill switch was pulled.
            BudgetExceeded: It could cost more than is left, or nobody knows what it costs.
        """
        began_s = self._clock.monotonic()
        await (self._follow_up(call, self._latest) if self._latest else self._begin())
        # Ids go on where an earlier try of the same leg stopped: the time makes them differ.
        call_id = f"{self._leg}#{self._clock.now():%Y%m%dT%H%M%S%f}.{self._calls}"
        self._budget.reserve(call_id, provider=call.provider, worst_microusd=call.worst_microusd)
        self._open[call] = call_id
        self._book.write(call.intent(call_id, leg=self._leg, at=self._clock.now()))
        try:
            await self._book.commit()
        except BaseException:
            self.settle(call, 0)  # never sent
            raise
        if self._calls:
            self.own_wait_s += self._clock.monotonic() - began_s
        else:
            self.admitted_at, self.admitted_s = self._clock.now(), self._clock.monotonic()
        self._calls += 1
        self._latest = call

    async def _begin(self) -> None:
        """Wait for a place in the quota, unless the leg has one."""
        if self._has_place:
            self._switch.refuse_when_pulled()
            return
        async with self._switch.abandoning():
            await self._quota.admit()

    async def _follow_up(self, call: PaidCall, latest: PaidCall) -> None:
        """Let what was begun be finished: stopped half-way, the voice it paid for would be paid for again.

        In an emergency only what speaks in a voice that was just made: that clone is under way. Another attempt is not.
        """
        await self._quota.admit()
        if call.purpose == latest.purpose and (emergency := self._switch.emergency()):
            raise NotAdmitted(emergency)

    def settle(self, call: PaidCall, microusd: int | None) -> None:
        """Book what `call` cost; None keeps its reservation as spent."""
        call_id = self._open.pop(call)
        booked = self._budget.settle(call_id, microusd)
        self._book.write(settlement(call_id, booked, known=microusd is not None))

    def close(self) -> None:
        """Book what was never settled at its worst."""
        for call in list(self._open):
            self.settle(call, None)
