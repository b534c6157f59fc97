"""Money that cannot be overspent: reserved at the worst case before a call goes out, settled when it is over.

Holds sums only. That the reservation is on disk before the bytes leave is the journal's business.
"""

import math
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from harness.errors import BudgetExceeded
from harness.store.spending import DaySpending

__all__ = ["Budget"]

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class _Reservation(NamedTuple):
    """What one call under way has a claim on."""

    provider: str
    bound_microusd: int  # the most it can cost by the price file
    microusd: int  # what was set aside: more, when the provider is known to bill above it


class Budget:
    """Caps on what a run may spend, in all and at each provider, in whole micro-dollars.

    `reserve` and `settle` never wait, so on one event loop no two calls can both take the last dollar; what other
    processes spend is the business of the day's caps (harness/store/spending.py).
    """

    def __init__(
        self,
        cap_microusd: int,
        *,
        caps: Mapping[str, int] = _NOTHING,
        spent: Mapping[str, int] = _NOTHING,
        day: DaySpending | None = None,
    ) -> None:
        """Begin with what is gone already, as a resumed run does.

        Args:
            cap_microusd: For the whole run.
            caps: For single providers; one without entry has the run's cap alone.
            spent: Provider → what the run spent there before.
            day: Asked after the run's own caps, when given.
        """
        self.cap_microusd = cap_microusd
        self._caps = caps
        self._spent = Counter(spent)
        self._day = day
        self._reserved: dict[str, _Reservation] = {}  # by call id
        self._claimed: Counter[str] = Counter()  # provider → what its calls under way may still cost
        self._overrun: dict[str, float] = {}  # provider → its highest bill by our worst case, above 1

    @property
    def spent_microusd(self) -> int:
        """What is gone."""
        return self._spent.total()

    @property
    def reserved_microusd(self) -> int:
        """What calls under way may still cost."""
        return self._claimed.total()

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
        self._refuse(provider, worst, self.left_microusd, self.cap_microusd)
        if provider in self._caps:
            cap = self._caps[provider]
            left = cap - self._spent[provider] - self._claimed[provider]
            self._refuse(provider, worst, left, cap, f" for {provider}")
        if self._day is not None:
            self._day.reserve(call, provider=provider, microusd=worst)
        self._reserved[call] = _Reservation(provider, worst_microusd, worst)
        self._claimed[provider] += worst

    def _refuse(self, provider: str, worst: int, left: int, cap: int, whose: str = "") -> None:
        if worst > left:
            raise BudgetExceeded(
                f"{provider}: the next call can cost ${worst / 1e6:.4f} and ${left / 1e6:.4f} of "
                f"${cap / 1e6:.2f}{whose} is left"
            )

    def settle(self, call: str, microusd: int | None) -> int:
        """Turn the reservation of `call` into spending and return what was booked.

        Args:
            call: A call that was reserved and not yet settled.
            microusd: What it cost; None when nobody knows, which books the whole reservation.
        """
        provider, bound, reserved = self._reserved.pop(call)
        booked = reserved if microusd is None else microusd
        self._claimed[provider] -= reserved
        self._spent[provider] += booked
        if self._day is not None:
            self._day.settle(call, booked)
        if bound and booked > bound:
            self._overrun[provider] = max(self._overrun.get(provider, 1.0), booked / bound)
        return booked
