"""What a call of the legacy path takes of a GPU beside its own work: the start it caused, the idle time before it.

Modal bills a container for as long as it lives: while it starts, while it works, and idle until it is stopped after its
`scaledown_window` (providers.md B5). Marginal cost is the work alone; fully loaded cost carries the rest as well.

Only our own calls are seen. Where production keeps the containers warm, the true idle share is smaller than ours.
"""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["GpuDiary", "GpuShare", "idle_seconds"]

Price = Callable[[float], int | None]  # GPU seconds → micro-dollars; None when the price is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuShare:
    """Seconds of a GPU that one call answers for."""

    busy_s: float  # its own work
    cold_s: float | None  # the start it waited for; None when nothing tells the start from the work
    idle_s: float  # before it, since the call before

    def facts(self, price: Price) -> dict[str, float | None]:
        """The parts, and what they cost in dollars: marginal and fully loaded; None where something is unknown."""
        marginal = price(self.busy_s)
        loaded = None if self.cold_s is None else price(self.busy_s + self.cold_s + self.idle_s)
        return {
            "busy_s": round(self.busy_s, 3),
            "cold_s": None if self.cold_s is None else round(self.cold_s, 3),
            "idle_s": round(self.idle_s, 3),
            "marginal_usd": None if marginal is None else marginal / 1e6,
            "fully_loaded_usd": None if loaded is None else loaded / 1e6,
        }


class GpuDiary:
    """When our calls were under way, and so how long the GPU waited for each.

    A GPU goes on for one window after its last call. The very first call is charged that window in advance, and every
    later one what passed since the call before, at most a window: together exactly what idleness costs.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._under_way = 0
        self._ended_s: float | None = None  # None before the first call has ended

    def begin(self, now_s: float) -> float:
        """Idle seconds that the call which begins now answers for."""
        first = self._ended_s is None and not self._under_way
        idle_s = self._window_s if first else self._since_last_s(now_s)
        self._under_way += 1
        return idle_s

    def end(self, now_s: float) -> None:
        """A call that began has ended, in whatever way."""
        self._under_way -= 1
        self._ended_s = now_s

    def _since_last_s(self, now_s: float) -> float:
        if self._under_way or self._ended_s is None:
            return 0.0
        return min(max(0.0, now_s - self._ended_s), self._window_s)


def idle_seconds(calls: list[tuple[float, float]], *, window_s: float) -> tuple[float, int]:
    """How long a GPU is idle between and after some calls, and how often it has to be started.

    Args:
        calls: (begin, end) of each, in seconds, in any order.
        window_s: How long it goes on without work.

    Returns:
        Idle seconds, the last window included, and the number of starts; (0.0, 0) of no calls.
    """
    idle_s, starts, ended_s = 0.0, 0, None
    for began_s, finished_s in sorted(calls):
        gap_s = window_s if ended_s is None else max(0.0, began_s - ended_s)
        starts += ended_s is None or gap_s > window_s
        idle_s += min(gap_s, window_s)
        ended_s = finished_s if ended_s is None else max(ended_s, finished_s)
    return idle_s, starts
