"""The GPUs of the legacy path: cold after a while without work, each taking so many inputs at once (providers.md B1).

Works in due times: a call is told when it will be done, and whoever serves it waits for that moment.
"""

import heapq
from dataclasses import dataclass
from random import Random

from harness.clock import Clock
from harness.emulators.latency import Deployment
from harness.emulators.options import ModalOptions

__all__ = ["Containers", "Place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and when a call is worked on."""

    container_id: str
    due_s: float  # by the clock's `monotonic`
    waited_for_start: bool  # a cold start was under way when it came


class Containers:
    """All containers of one deployment; they start together and stop together."""

    def __init__(self, options: ModalOptions, deployment: Deployment, *, clock: Clock) -> None:
        """Begin cold."""
        self._options = options
        self._cold_start_s = deployment.cold_start_s
        self._clock = clock
        self._random = Random(f"{options.seed} containers")
        self._free: list[tuple[float, str]] = []  # (when it is free, container), one for each input
        self._ready_at_s = 0.0
        self._busy_until_s: float | None = None  # None before the first start

    def admit(self, work_s: float) -> Place:
        """Give a call its place.

        Args:
            work_s: Seconds of the real service that the call takes.
        """
        now_s = self._clock.monotonic()
        if self._busy_until_s is None or now_s - self._busy_until_s > self._scaled(self._options.idle_window_s):
            self._start(now_s)
        free_at_s, container_id = heapq.heappop(self._free)
        due_s = max(now_s, self._ready_at_s, free_at_s) + self._scaled(work_s)
        heapq.heappush(self._free, (due_s, container_id))
        self._busy_until_s = max(self._busy_until_s or due_s, due_s)
        return Place(container_id=container_id, due_s=due_s, waited_for_start=now_s < self._ready_at_s)

    def reset(self) -> None:
        """Cold again; calls that have their place keep it."""
        self._busy_until_s = None

    def _start(self, now_s: float) -> None:
        """Start them all anew: other containers than before."""
        cold_start_s = self._random.uniform(*self._cold_start_s)
        self._ready_at_s = now_s + self._scaled(cold_start_s)
        self._busy_until_s = self._ready_at_s
        ids = [f"ta-{self._random.getrandbits(64):016x}" for _ in range(self._options.containers)]
        self._free = [(now_s, container_id) for container_id in ids for _ in range(self._options.max_inputs)]
        heapq.heapify(self._free)

    def _scaled(self, seconds: float) -> float:
        return seconds * self._options.time_scale
