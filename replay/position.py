"""What starting second costs: the effect of a lane's place in the order of its capture, with its interval.

Order is randomised in balanced blocks, so half of the captures start control first and half the candidate. Were the
place to matter, the candidate would look slower where it starts second and faster where it starts first; half the
difference of the two is the effect (the period effect of an AB/BA cross-over; Jones and Kenward, Design and Analysis
of Cross-Over Trials). Estimated on logarithms of time ratios, which are far less skewed than times.
"""

import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist
from typing import Any, Final, NamedTuple

from harness.exchanges import OK, Lane

__all__ = ["PositionEffect", "position_effect"]

_FEWEST: Final = 10  # pairs of each order; below, a normal interval promises too much
_Z95: Final = NormalDist().inv_cdf(0.975)


class PositionEffect(NamedTuple):
    """How many times as long a call takes when its lane starts second: 1.0 is no effect."""

    ratio: float
    low: float  # of the 95 % interval: Welch's, with normal quantiles
    high: float
    control_first: int  # pairs that it rests on
    candidate_first: int

    @property
    def is_none(self) -> bool:
        """The interval holds 1: no effect was shown."""
        return self.low <= 1.0 <= self.high


class _Moments:
    """Mean and variance of a stream, by Welford's recurrence."""

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)

    @property
    def variance_of_mean(self) -> float:
        return self._squares / (self.count - 1) / self.count


def position_effect(pairs: Iterable[Mapping[str, Mapping[str, Any]]]) -> PositionEffect | None:
    """The effect over all pairs in which both lanes delivered; None below ten of either order.

    Args:
        pairs: Lane → row of table `exchanges`, for each capture and repetition.
    """
    by_order = {Lane.CONTROL: _Moments(), Lane.CANDIDATE: _Moments()}  # who started first
    for pair in pairs:
        control, candidate = pair.get(Lane.CONTROL), pair.get(Lane.CANDIDATE)
        if control is None or candidate is None or not (_delivered(control) and _delivered(candidate)):
            continue
        first = Lane.CONTROL if control["position"] < candidate["position"] else Lane.CANDIDATE
        by_order[first].add(math.log(candidate["service_s"] / control["service_s"]))
    second, before = by_order[Lane.CONTROL], by_order[Lane.CANDIDATE]  # the candidate second, the candidate first
    if min(second.count, before.count) < _FEWEST:
        return None
    effect = (second.mean - before.mean) / 2
    half = _Z95 * math.sqrt(second.variance_of_mean + before.variance_of_mean) / 2
    low, ratio, high = (math.exp(value) for value in (effect - half, effect, effect + half))
    return PositionEffect(ratio, low, high, second.count, before.count)


def _delivered(row: Mapping[str, Any]) -> bool:
    return row["outcome"] == OK and bool(row["service_s"]) and row["service_s"] > 0
