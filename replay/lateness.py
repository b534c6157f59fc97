"""How late captures were started after they were due: what the schedule promised against what happened."""

from replay.spread import Spread

__all__ = ["Lateness"]


class Lateness:
    """Seconds between due and started, one number a capture."""

    def __init__(self) -> None:
        self._seconds = Spread()
        self._latest: float | None = None

    def add(self, seconds: float) -> None:
        """Note one capture in the order of the schedule."""
        self._seconds.add(seconds)
        self._latest = seconds

    def __len__(self) -> int:
        return len(self._seconds)

    def summary(self) -> dict[str, float | None]:
        """`p50_s`, `p99_s` and `max_s` over all, `end_s` for the last: drift shows there. None without any."""
        median_s, late_s, most_s = self._seconds.quantiles((0.50, 0.99, 1.0))
        return {"p50_s": median_s, "p99_s": late_s, "max_s": most_s, "end_s": self._latest}
