"""A running sum that sees a small rise in a rare event soon: one float, whatever the history.

A window or a streak does not: five failures in a row, or half of a hundred calls, never notice 5 or 10 % of errors.
"""

import math
from dataclasses import dataclass, field

__all__ = ["CusumRule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CusumRule:
    """A Bernoulli CUSUM: evidence that the rate is `p1` rather than `p0`, as a log likelihood ratio that stops at 0."""

    p0: float  # share of bad events that is normal
    p1: float  # share that must be noticed
    h: float  # trips here: higher means later and more rarely wrong
    up: float = field(init=False, repr=False)  # what a bad event adds
    down: float = field(init=False, repr=False)  # what a good one adds, below 0

    def __post_init__(self) -> None:
        """Refuse rates between which nothing can be told apart."""
        if not 0 < self.p0 < self.p1 < 1 or not 0 < self.h < math.inf:
            raise ValueError(f"a CUSUM needs 0 < p0 < p1 < 1 and h > 0, not {self.p0}, {self.p1} and {self.h}")
        object.__setattr__(self, "up", math.log(self.p1 / self.p0))
        object.__setattr__(self, "down", math.log((1 - self.p1) / (1 - self.p0)))

    def after(self, total: float, *, bad: bool) -> float:
        """The sum after one more event."""
        return max(0.0, total + (self.up if bad else self.down))

    def trips(self, total: float) -> bool:
        """Whether the sum is evidence enough."""
        return total >= self.h
