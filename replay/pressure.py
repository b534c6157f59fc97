"""How near its quota a provider would come at a pace, and how long calls would have to wait for it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.config import QuotaSettings
from replay.pacing import Pacing

__all__ = ["Pressure", "pressure_at"]


class Pressure(NamedTuple):
    """What a pace asks of a quota."""

    peak_per_minute: int
    peak_per_second: int
    allowed_per_minute: float
    allowed_per_second: float
    longest_wait_s: float  # of any call, for the quota alone
    ends_after_s: float  # when the last call goes out

    @property
    def is_too_high(self) -> bool:
        """Whether calls would have to wait."""
        return self.peak_per_minute > self.allowed_per_minute or self.peak_per_second > self.allowed_per_second


def pressure_at(pacing: Pacing, recorded_s: Iterable[float], quota: QuotaSettings) -> Pressure:
    """The pressure of captures that were recorded at those times, in order, were they replayed at a pace.

    Counted are captures; making a voice adds a call, and a pace that names no time (`at-once`) has all due at once.
    """
    due_s = [moment_s or 0.0 for moment_s in pacing.due_s(recorded_s)]
    allowed = (quota.per_minute * quota.share, 60.0), (quota.per_second * quota.share, 1.0)
    sent_s = _sent(due_s, allowed)
    return Pressure(
        peak_per_minute=_peak(due_s, 60.0),
        peak_per_second=_peak(due_s, 1.0),
        allowed_per_minute=allowed[0][0],
        allowed_per_second=allowed[1][0],
        longest_wait_s=max((sent - due for sent, due in zip(sent_s, due_s, strict=True)), default=0.0),
        ends_after_s=sent_s[-1] if sent_s else 0.0,
    )


def _sent(due_s: Sequence[float], allowed: Iterable[tuple[float, float]]) -> list[float]:
    """When each call goes out, in order, so that no window of a quota ever holds more than it may."""
    # Fewer than one call in a window is one call in a longer window.
    windows = [(max(1, int(calls)), max(1, int(calls)) / calls * period_s) for calls, period_s in allowed]
    sent_s: list[float] = []
    for due in due_s:
        free = [sent_s[-calls] + period_s for calls, period_s in windows if len(sent_s) >= calls]
        sent_s.append(max(due, *free) if free else due)
    return sent_s


def _peak(times_s: Sequence[float], window_s: float) -> int:
    """The most of sorted times that any half-open window of that length holds."""
    most, start = 0, 0
    for end, moment_s in enumerate(times_s):
        while moment_s - times_s[start] >= window_s:
            start += 1
        most = max(most, end - start + 1)
    return most
