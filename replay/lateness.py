"""How late captures were started after they were due: what the schedule promised against what happened."""

from array import array

__all__ = ["Lateness", "quantile"]


class Lateness:
    """Seconds between due and started, one number a capture; eight bytes each."""

    def __init__(self) -> None:
        self._seconds = array("d")

    def add(self, seconds: float) -> None:
        """Note one capture in the order of the schedule."""
        self._seconds.append(seconds)

    def __len__(self) -> int:
        return len(self._seconds)

    def summary(self) -> dict[str, float | None]:
        """`p50_s`, `p99_s` and `max_s` over all, `end_s` for the last: drift shows there. None without any."""
        ordered = sorted(self._seconds)
        return {
            "p50_s": quantile(ordered, 0.50),
            "p99_s": quantile(ordered, 0.99),
            "max_s": ordered[-1] if ordered else None,
            "end_s": self._seconds[-1] if self._seconds else None,
        }


def quantile(ordered: list[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed."""
    if not ordered:
        return None
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
