"""A token bucket, as a provider counts requests against a quota."""

from harness.clock import Clock

__all__ = ["TokenBucket"]


class TokenBucket:
    """Holds so many requests, a minute's worth unless told, and fills up evenly."""

    def __init__(self, per_minute: float, *, time_scale: float, clock: Clock, capacity: float | None = None) -> None:
        """Begin full.

        Args:
            per_minute: Requests in a minute of the service.
            capacity: Requests that may come at once; None: a minute's worth.
            time_scale: How long a second of the service takes by `clock`.
            clock: Tells the time.
        """
        self._capacity = max(1.0, per_minute if capacity is None else capacity)
        self._rate_hz = per_minute / 60.0 / time_scale
        self._clock = clock
        self._tokens = self._capacity
        self._filled_at_s = clock.monotonic()

    def take(self) -> bool:
        """Whether one more request is allowed now; if so, it is counted."""
        now_s = self._clock.monotonic()
        self._tokens = min(self._capacity, self._tokens + (now_s - self._filled_at_s) * self._rate_hz)
        self._filled_at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
