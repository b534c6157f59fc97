"""What providers metered in a run: characters against our own count, GPU seconds with and without what runs beside.

A provider that counts other than we do makes every forecast wrong, so any difference is an alarm (providers.md A8).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["Metered", "metered"]

_COUNTS: Final = ("told", "drifting", "reported_chars", "counted_chars", "voices_degraded", "gpu_calls")
_GPU_SUMS: Final = ("busy_s", "marginal_usd", "fully_loaded_usd")  # of `gpu_cost`


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """The meters of all exchanges of a run."""

    told: int  # exchanges whose characters the provider reported
    drifting: int  # those of them that we count otherwise
    reported_chars: int
    counted_chars: int
    voices_degraded: int  # made in the provider's fallback mode: a soft failure
    gpu_calls: int
    gpu_busy_s: float
    gpu_marginal_usd: float | None  # None when the price is unknown
    gpu_fully_loaded_usd: float | None  # None when it is, or when not every cold start was told

    @property
    def is_alarming(self) -> bool:
        """Whether the bill is not what we would have forecast."""
        return self.drifting > 0

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), "is_alarming": self.is_alarming}

    def lines(self) -> list[str]:
        """For people; none about what did not occur."""
        found = []
        if self.is_alarming:
            found.append(
                f"ALARM: {self.drifting} of {self.told} exchanges were billed by another count of characters than "
                f"ours: {self.reported_chars:,} reported, {self.counted_chars:,} counted. Forecasts are off by as much."
            )
        elif self.told:
            found.append(f"Characters: {self.reported_chars:,} reported in {self.told} exchanges, as counted by us.")
        if self.voices_degraded:
            found.append(f"{self.voices_degraded} voices were made in degraded mode; look at their recordings.")
        if self.gpu_calls:
            found.append(
                f"GPU: {self.gpu_busy_s:,.1f} s busy in {self.gpu_calls} calls, "
                f"marginal {_usd(self.gpu_marginal_usd)}, "
                f"fully loaded with cold starts and idle time {_usd(self.gpu_fully_loaded_usd)}."
            )
        return found


def metered(metadata: Iterable[Mapping[str, Any]]) -> Metered:
    """The meters in column `metadata` of the rows of `exchanges`."""
    counts: Counter[str] = Counter()
    gpu: dict[str, float | None] = dict.fromkeys(_GPU_SUMS, 0.0)
    for each in metadata:
        counts["voices_degraded"] += each.get("fallback_mode") is True
        reported = each.get("reported_chars")
        if reported is not None and "tokens" not in each:
            counts["told"] += 1
            counts["drifting"] += reported != each["counted_chars"]
            counts["reported_chars"] += reported
            counts["counted_chars"] += each["counted_chars"]
        if cost := each.get("gpu_cost"):
            counts["gpu_calls"] += 1
            gpu = {name: _sum(gpu[name], cost[name]) for name in _GPU_SUMS}
    return Metered(
        **{name: counts[name] for name in _COUNTS},
        gpu_busy_s=gpu["busy_s"] or 0.0,
        gpu_marginal_usd=gpu["marginal_usd"],
        gpu_fully_loaded_usd=gpu["fully_loaded_usd"],
    )


def _sum(total: float | None, amount: float | None) -> float | None:
    """Both together; None when one is unknown."""
    return None if total is None or amount is None else total + amount


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"${amount:,.4f}"
