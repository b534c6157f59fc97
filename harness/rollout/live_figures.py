"""What the spool says about the callers of one operation since its stage began."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.evidence import Share
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.spend import upper_cost_per_1k_usd
from harness.speech import Operation

__all__ = ["LiveFigures", "figures_of", "upper_share"]

_HOUR_S: Final = 3_600
_ALPHA: Final = 0.05
# The prior of the mixture: about one failed caller in 400, near the limit of 0.5 % that is to be told apart from.
_PRIOR: Final = (1.0, 400.0)


@dataclass(slots=True, kw_only=True)
class LiveFigures:
    """Counts of one operation, since a moment; peaks are of all that the spool holds."""

    answered: int = 0  # by Qwen
    calls: int = 0  # to Qwen
    limited: int = 0  # … answered 429
    to_qwen: int = 0  # callers whom Qwen was to answer
    failed_callers: int = 0  # … who ended without speech
    fallbacks: int = 0  # callers whom Qwen failed
    saved: int = 0  # … and legacy answered
    unpriced: int = 0
    sums: list[int] = field(default_factory=lambda: [0] * 6)  # what upper_cost_per_1k_usd takes
    hours: Counter[int] = field(default_factory=Counter)  # hour since 1970 → callers, by either provider
    qwen_hours: Counter[int] = field(default_factory=Counter)  # … by Qwen, since the moment
    minutes: Counter[int] = field(default_factory=Counter)  # minute since 1970 → callers

    @property
    def rate_limited(self) -> Share:
        """429 from Qwen, of calls."""
        return Share(part=self.limited, whole=self.calls)

    @property
    def fallback(self) -> Share:
        """Answered by legacy, of those that Qwen failed."""
        return Share(part=self.saved, whole=self.fallbacks)

    @property
    def user_errors_upper(self) -> float | None:
        """The most that callers without speech may be of those whom Qwen was to answer; None without any."""
        return upper_share(self.failed_callers, self.to_qwen) if self.to_qwen else None

    @property
    def cost_per_1k_upper_usd(self) -> float | None:
        """The most that 1,000 characters may cost; None when a price is unknown or there are too few calls."""
        return None if self.unpriced else upper_cost_per_1k_usd(*self.sums)

    @property
    def covers_peak(self) -> bool | None:
        """Whether Qwen answered somebody in the hour of the day that is usually busiest; None without any traffic."""
        by_hour: Counter[int] = Counter()
        for hour, callers in self.hours.items():
            by_hour[hour % 24] += callers
        if not by_hour:
            return None
        ((peak, _),) = by_hour.most_common(1)
        return any(hour % 24 == peak for hour in self.qwen_hours)

    @property
    def peak_per_minute(self) -> int:
        """Callers in the busiest minute."""
        return max(self.minutes.values(), default=0)


def figures_of(outcomes: Iterable[LiveOutcome], operation: Operation, *, since: datetime) -> LiveFigures:
    """The figures of `operation` since a moment."""
    figures = LiveFigures()
    since_s = since.astimezone(UTC).timestamp()
    for outcome in outcomes:
        if outcome.operation is not operation:
            continue
        # After a fallback there are two outcomes of one caller: Qwen's failure and legacy's answer.
        if outcome.caller_failed is not None and (outcome.lane is Lane.CONTROL or outcome.kind is None):
            figures.hours[int(outcome.at_s // _HOUR_S)] += 1
            figures.minutes[int(outcome.at_s // 60)] += 1
        if outcome.lane is Lane.CANDIDATE and outcome.at_s >= since_s:
            _add(figures, outcome)
    return figures


def _add(figures: LiveFigures, outcome: LiveOutcome) -> None:
    figures.calls += 1
    figures.limited += outcome.kind is ErrorKind.RATE_LIMITED
    if outcome.caller_failed is not None:
        figures.to_qwen += 1
        figures.failed_callers += outcome.caller_failed
        if outcome.kind is None:
            figures.answered += 1
            figures.qwen_hours[int(outcome.at_s // _HOUR_S)] += 1
        else:
            figures.fallbacks += 1
            figures.saved += not outcome.caller_failed
    if outcome.microusd is None:
        figures.unpriced += outcome.kind is None
    elif outcome.microusd:
        cost, chars = outcome.microusd, outcome.chars
        for place, value in enumerate((1, cost, chars, cost * cost, cost * chars, chars * chars)):
            figures.sums[place] += value


def upper_share(bad: int, whole: int) -> float:
    """Upper 95 % bound of a share that holds at any time, however often one looks.

    A share is ruled out once a mixture of others explains the counts 20 times better (Ville's inequality; Robbins'
    mixture with a beta prior).
    """
    a, b = _PRIOR
    mixture = _log_beta(a + bad, b + whole - bad) - _log_beta(a, b)

    def is_ruled_out(share: float) -> bool:
        likelihood = bad * math.log(share) + (whole - bad) * math.log1p(-share)
        return mixture - likelihood >= -math.log(_ALPHA)

    low, high = max(bad / whole, 1e-12), 1.0 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if is_ruled_out(middle) else (middle, high)
    return high


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
