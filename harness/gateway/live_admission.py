"""Lets the paid calls for a caller out: asks the kill switch right before each, and adds up what they cost."""

from collections.abc import Callable

from harness.errors import NotAdmitted
from harness.exchanges import Lane
from harness.providers.base import PaidCall

__all__ = ["LiveAdmission"]


class LiveAdmission:
    """One for each call of a lane. Quota is not waited for: a caller who waits is better served by the other lane."""

    def __init__(self, lane: Lane, *, kill_reason: Callable[[], str | None]) -> None:
        self.calls = 0  # that went out
        self.microusd: int | None = 0  # what they cost, at worst where that is unsure; None: a price is unknown
        self._lane = lane
        self._kill_reason = kill_reason

    async def admit(self, call: PaidCall) -> None:
        """See `Admission`."""
        if self._lane is Lane.CANDIDATE and self._kill_reason() is not None:
            raise NotAdmitted("nothing is sent to Qwen: the kill switch is on")
        self.calls += 1

    def settle(self, call: PaidCall, microusd: int | None) -> None:
        """See `Admission`; a call whose cost nobody knows counts with its worst, as a spending cap needs it."""
        cost = call.worst_microusd if microusd is None else microusd
        self.microusd = None if cost is None or self.microusd is None else self.microusd + cost
