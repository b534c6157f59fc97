"""How many requests of a model the Qwen stand-in takes: per minute, per second, and how steeply more (providers.md A8).

Only the quota per minute is published with a number. That it may also be enforced per second, and that a steep rise is
refused, is documented without one: both are off until they are set.
"""

from collections import defaultdict, deque
from enum import StrEnum
from functools import partial
from typing import Final

from harness.clock import Clock
from harness.emulators.options import QwenOptions
from harness.emulators.throttle import TokenBucket

__all__ = ["Excess", "Quota", "Ramp"]

_WINDOW_S: Final = 10.0  # of the service's time
_SMALL: Final = 10  # requests in a window that are never a steep rise


class Excess(StrEnum):
    """Why a request is too much."""

    RATE = "Throttling.RateQuota"
    BURST = "Throttling.BurstRate"


class Ramp:
    """Notices when requests come far faster than a moment ago."""

    def __init__(self, factor: float, *, time_scale: float, clock: Clock) -> None:
        """Begin with a silence.

        Args:
            factor: How many times the requests of one window the next may bring.
            time_scale: How long a second of the service takes by `clock`.
            clock: Tells the time.
        """
        self._factor = factor
        self._window_s = _WINDOW_S * time_scale
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Whether one more request is no steep rise; if so, it is counted."""
        now_s = self._clock.monotonic()
        while self._taken and now_s - self._taken[0] >= 2 * self._window_s:
            self._taken.popleft()
        recent = sum(now_s - at_s < self._window_s for at_s in self._taken)
        before = len(self._taken) - recent
        if recent + 1 > max(_SMALL, self._factor * before):
            return False
        self._taken.append(now_s)
        return True


class Quota:
    """The quota of every model; each has its own."""

    def __init__(self, options: QwenOptions, clock: Clock) -> None:
        scale = options.time_scale
        per_minute = options.requests_per_minute
        minute = partial(TokenBucket, per_minute, time_scale=scale, clock=clock)
        self._minute: defaultdict[str, TokenBucket] = defaultdict(minute)
        self._second: defaultdict[str, TokenBucket] | None = None
        if options.requests_per_second is not None:
            rate_hz = options.requests_per_second
            second = partial(TokenBucket, 60 * rate_hz, capacity=rate_hz, time_scale=scale, clock=clock)
            self._second = defaultdict(second)
        self._ramp: defaultdict[str, Ramp] | None = None
        if options.ramp_factor is not None:
            self._ramp = defaultdict(partial(Ramp, options.ramp_factor, time_scale=scale, clock=clock))

    def reset(self) -> None:
        """Nothing was asked for yet: every quota is whole."""
        for kept in (self._minute, self._second, self._ramp):
            if kept is not None:
                kept.clear()

    def excess(self, model: str) -> Excess | None:
        """Why one more request is too much now; None when it is not, and then it is counted."""
        if self._ramp is not None and not self._ramp[model].take():
            return Excess.BURST
        if self._second is not None and not self._second[model].take():
            return Excess.RATE
        return None if self._minute[model].take() else Excess.RATE
