"""What providers metered in a run: characters against our own count, GPU seconds with and without what runs beside.

A provider that counts other than we do makes every forecast wrong, so any difference is an alarm (providers.md A8).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Metered", "metered"]


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


def metered(rows: Iterable[Mapping[str, Any]]) -> Metered:
    """The meters in the rows of `exchanges`."""
    metadata = [row.get("metadata") or {} for row in rows]
    told = [each for each in metadata if each.get("reported_chars") is not None and "tokens" not in each]
    gpu = [each["gpu_cost"] for each in metadata if each.get("gpu_cost")]
    return Metered(
        told=len(told),
        drifting=sum(each["reported_chars"] != each["counted_chars"] for each in told),
        reported_chars=sum(each["reported_chars"] for each in told),
        counted_chars=sum(each["counted_chars"] for each in told),
        voices_degraded=sum(each.get("fallback_mode") is True for each in metadata),
        gpu_calls=len(gpu),
        gpu_busy_s=sum(each["busy_s"] for each in gpu),
        gpu_marginal_usd=_sum(each["marginal_usd"] for each in gpu),
        gpu_fully_loaded_usd=_sum(each["fully_loaded_usd"] for each in gpu),
    )


def _sum(amounts: Iterable[float | None]) -> float | None:
    """All of them together; None when one is unknown."""
    known = list(amounts)
    return None if any(amount is None for amount in known) else sum(amount for amount in known if amount is not None)


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"${amount:,.4f}"
