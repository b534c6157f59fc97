"""The gate before every paid call of a leg: quota, then money, then a durable note, and only then the bytes.

Also keeps how long each of these made the call wait, so that our own waiting is not taken for the provider's.
"""

from datetime import datetime

from harness.clock import Clock
from harness.errors import NotAdmitted
from harness.providers.base import PaidCall
from harness.store.logbook import Logbook
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.quota import Quota

__all__ = ["LegAdmission"]


class LegAdmission:
    """Admits the paid calls of one leg, or of one voice that is made beforehand."""

    def __init__(
        self, leg: str, *, quota: Quota, budget: Budget, book: Logbook, switch: KillSwitch, clock: Clock
    ) -> None:
        self._leg = leg
        self._quota = quota
        self._budget = budget
        self._book = book
        self._switch = switch
        self._clock = clock
        self._open: dict[PaidCall, str] = {}  # call → its id in journal and budget
        self._calls = 0
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
        await self._quota.admit()
        pulled = self._switch.reason()
        if pulled:
            raise NotAdmitted(pulled)
        # Ids go on where an earlier try of the same leg stopped: the time makes them differ.
        call_id = f"{self._leg}#{self._clock.now():%Y%m%dT%H%M%S%f}.{self._calls}"
        self._budget.reserve(call_id, provider=call.provider, worst_microusd=call.worst_microusd)
        self._open[call] = call_id
        now = self._clock.now()
        self._book.write(
            {
                "type": "intent",
                "call": call_id,
                "leg": self._leg,
                "provider": call.provider,
                "purpose": call.purpose,
                "attempt": call.attempt,
                "worst_microusd": call.worst_microusd,
                "at": now.isoformat(),
            }
        )
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

    def settle(self, call: PaidCall, microusd: int | None) -> None:
        """Book what `call` cost; None keeps its reservation as spent."""
        call_id = self._open.pop(call)
        booked = self._budget.settle(call_id, microusd)
        self._book.write({"type": "settle", "call": call_id, "microusd": booked, "known": microusd is not None})

    def close(self) -> None:
        """Book what was never settled at its worst."""
        for call in list(self._open):
            self.settle(call, None)
