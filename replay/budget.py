"""Money that cannot be overspent: reserved at the worst case before a call goes out, settled when it is over.

Holds sums only. That the reservation is on disk before the bytes leave is the journal's business.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from harness.errors import BudgetExceeded

__all__ = ["Budget"]


class _Reservation(NamedTuple):
    """What one call under way has a claim on."""

    provider: str
    bound_microusd: int  # the most it can cost by the price file
    microusd: int  # what was set aside: more, when the provider is known to bill above it


class Budget:
    """A cap on what a run may spend, in whole micro-dollars.

    `reserve` and `settle` never wait, so on one event loop no two calls can both take the last dollar.
    """

    def __init__(self, cap_microusd: int, *, spent_microusd: int = 0) -> None:
        """Begin with `spent_microusd` already gone, as a resumed run does."""
        self.cap_microusd = cap_microusd
        self.spent_microusd = spent_microusd
        self._reserved: dict[str, _Reservation] = {}  # by call id
        self._overrun: dict[str, float] = {}  # provider → its highest bill by our worst case, above 1

    @property
    def reserved_microusd(self) -> int:
        """What calls under way may still cost."""
        return sum(reservation.microusd for reservation in self._reserved.values())

    @property
    def left_microusd(self) -> int:
        """What no call has a claim on."""
        return self.cap_microusd - self.spent_microusd - self.reserved_microusd

    @property
    def overruns(self) -> Mapping[str, float]:
        """Providers that billed above our worst case, and how many times it: the price file is wrong there."""
        return dict(self._overrun)

    def reserve(self, call: str, *, provider: str, worst_microusd: int | None) -> None:
        """Set aside the most that `call` can cost.

        A provider that once billed above our bound is from then on reserved at that multiple of it.

        Raises:
            BudgetExceeded: It does not fit, or its price is unknown; nothing was set aside.
        """
        if worst_microusd is None:
            raise BudgetExceeded(f"{provider}: no price is known for this call, so no budget can cover it")
        worst = math.ceil(worst_microusd * self._overrun.get(provider, 1.0))
        if worst > self.left_microusd:
            raise BudgetExceeded(
                f"{provider}: the next call can cost ${worst / 1e6:.4f} and ${self.left_microusd / 1e6:.4f} "
                f"of ${self.cap_microusd / 1e6:.2f} is left"
            )
        self._reserved[call] = _Reservation(provider, worst_microusd, worst)

    def settle(self, call: str, microusd: int | None) -> int:
        """Turn the reservation of `call` into spending and return what was booked.

        Args:
            call: A call that was reserved and not yet settled.
            microusd: What it cost; None when nobody knows, which books the whole reservation.
        """
        provider, bound, reserved = self._reserved.pop(call)
        booked = reserved if microusd is None else microusd
        self.spent_microusd += booked
        if bound and booked > bound:
            self._overrun[provider] = max(self._overrun.get(provider, 1.0), booked / bound)
        return booked
