"""What a second of a container on Modal costs: its GPU, and the CPU cores and the memory it holds (providers.md B5).

All three are billed for as long as the container lives: while it starts, works and idles.
"""

from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Final

from harness.config import ModalSettings
from harness.providers.pricing import PriceList

__all__ = ["ContainerRate"]

_MICRO: Final = 1_000_000


class ContainerRate:
    """The price of the container that the settings describe."""

    def __init__(self, settings: ModalSettings, prices: PriceList) -> None:
        """Look its parts up; one that has no price makes the whole unknown, one that nobody told of is left out."""
        self._cores = settings.cpu_cores
        self._memory_gib = settings.memory_gib
        self._gpu = settings.gpu
        parts = [(settings.gpu, "gpu_s", 1.0), ("cpu", "core_s", self._cores), ("memory", "gib_s", self._memory_gib)]
        rates = [
            _times(prices.usd_each("modal", settings.region, item, unit), count) for item, unit, count in parts if count
        ]
        known = [rate for rate in rates if rate is not None]
        factor = Decimal(str(settings.price_factor))
        self._usd_per_s = sum(known, Decimal(0)) * factor if len(known) == len(rates) else None
        self._known = lru_cache(maxsize=256)(self._microusd)  # every call asks for its worst, and twice for its own

    def microusd(self, seconds: float) -> int | None:
        """The cost of `seconds` in micro-dollars, rounded up; None when a price is unknown."""
        return self._known(seconds)

    def _microusd(self, seconds: float) -> int | None:
        if self._usd_per_s is None:
            return None
        exact = self._usd_per_s * _MICRO * Decimal(str(seconds))
        return int(exact.to_integral_value(rounding=ROUND_CEILING))

    @property
    def words(self) -> str:
        """What is billed: "A10G", or "A10G with 4 cores and 16 GiB"."""
        beside = [f"{self._cores:g} cores"] if self._cores else []
        beside += [f"{self._memory_gib:g} GiB"] if self._memory_gib else []
        return f"{self._gpu} with {' and '.join(beside)}" if beside else self._gpu

    def facts(self) -> dict[str, float]:
        """What is billed beside the GPU; nothing where nobody told of it."""
        parts = {"cpu_cores": self._cores, "memory_gib": self._memory_gib}
        return {name: count for name, count in parts.items() if count}


def _times(rate: Decimal | None, count: float) -> Decimal | None:
    return None if rate is None else rate * Decimal(str(count))
