"""Numbers measured on many pairs, with the range they may lie in: slow quantiles and ratios of totals.

Nothing here knows a gate's limit.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.evalues import log_e_fail, log_e_pass, proof_at
from analysis.intervals import Range, bca
from analysis.pairs import Counts
from harness.judgement import Interval

__all__ = ["BOOTSTRAP_SEED", "DRAWS", "Bootstrap", "Tail", "Totals", "order_statistic"]

FloatArray = NDArray[np.float64]

BOOTSTRAP_SEED: Final = 20261123  # fixed: judging the same evidence again gives the same bytes
DRAWS: Final = 4000  # leaves several draws beyond the family-wise 0.05 / 30
_FEWEST_CLUSTERS: Final = 5  # below, the few voices are the population, and requests are drawn instead
_MOST_UNITS: Final = 500  # more clusters are dealt into this many groups, which bounds memory
_RATIO_RANGE: Final = (1e-3, 1e3)  # a ratio beyond is reported as having no end
_HALVINGS: Final = 40


def order_statistic(values: FloatArray, quantile: float) -> float | None:
    """The smallest value with at least `quantile` of all at or below it; None without values.

    Where that is infinite (more timeouts than the quantile leaves room for) the greatest finite value stands in, so
    that "slower than this" still means something; None when nothing is finite.
    """
    if values.size == 0:
        return None
    place = math.ceil(quantile * values.size) - 1
    found = float(np.partition(values, place)[place])
    if math.isfinite(found):
        return found
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else None


class Tail:
    """Slow calls of both lanes against a frozen reference: control's own quantile, as its earliest calls had it.

    "Share of candidate calls above ratio x reference >= share of control calls above the reference" holds at every
    fixed reference when the candidate is `ratio` times slower throughout, so it may be a noisy one (verdicts.md 2.1).
    """

    def __init__(
        self, control_s: FloatArray, candidate_s: FloatArray, quantile: float, *, reference_s: float | None = None
    ) -> None:
        """Compare times of the same captures in the same order, infinite where a call timed out.

        Args:
            control_s: Seconds of control.
            candidate_s: Seconds of the candidate.
            quantile: Which of them is meant by slow.
            reference_s: Control's quantile as it was frozen; None takes that of `control_s`.
        """
        self.pairs = int(control_s.size)
        self.control_s = order_statistic(control_s, quantile)
        self.reference_s = self.control_s if reference_s is None else reference_s
        self.candidate_s = order_statistic(candidate_s, quantile)
        slow = control_s > (math.inf if self.reference_s is None else self.reference_s)
        self._slow_controls = int(slow.sum())
        self._while_slow = np.sort(candidate_s[slow])
        self._while_fast = np.sort(candidate_s[~slow])

    def counts(self, ratio: float) -> Counts:
        """Pairs where only the candidate exceeds `ratio` times the reference, only control the reference, or both."""
        limit = ratio * (math.inf if self.reference_s is None else self.reference_s)
        both, candidate_only = (
            int(times.size - np.searchsorted(times, limit, side="right"))
            for times in (self._while_slow, self._while_fast)
        )
        return Counts(self.pairs, candidate_only, self._slow_controls - both, both)

    def ratio(self, alpha: float) -> Interval:
        """Candidate's quantile by control's; each end holds with 1 - alpha at any number of looks."""
        if not self.reference_s or not self.control_s or self.candidate_s is None:
            return Interval(estimate=None, low=None, high=None, level=1.0 - alpha)
        proof = proof_at(alpha)

        def passes(ratio: float) -> bool:
            counts = self.counts(ratio)
            return bool(log_e_pass(counts.candidate_only, counts.control_only, counts.pairs, 0.0) >= proof)

        def no_longer_fails(ratio: float) -> bool:
            counts = self.counts(ratio)
            return bool(log_e_fail(counts.candidate_only, counts.control_only, counts.pairs, 0.0) < proof)

        low, high = _turning_point(no_longer_fails), _turning_point(passes)
        return Interval(
            estimate=self.candidate_s / self.control_s,
            low=low if low > _RATIO_RANGE[0] else None,
            high=high if high < _RATIO_RANGE[1] else None,
            level=1.0 - alpha,
        )


def _turning_point(is_above: Callable[[float], bool]) -> float:
    """The ratio where a condition turns from false to true; the ends of the range when it never does."""
    low, high = (math.log(end) for end in _RATIO_RANGE)
    if is_above(_RATIO_RANGE[0]):
        return _RATIO_RANGE[0]
    if not is_above(_RATIO_RANGE[1]):
        return _RATIO_RANGE[1]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if is_above(math.exp(middle)) else (middle, high)
    return math.exp(high)


class Totals(NamedTuple):
    """Sums over all pairs, and over draws of whole clusters with replacement."""

    estimate: float | None  # None when there is nothing to divide by
    draws: FloatArray  # empty when fewer than two units could be drawn

    def interval(self, alpha: float) -> Interval:
        """The estimate between its one-sided `alpha` quantiles."""
        if self.estimate is None or not self.draws.size:
            return Interval(estimate=self.estimate, low=None, high=None, level=1.0 - alpha)
        return Interval(
            estimate=self.estimate, low=self.quantile(alpha), high=self.quantile(1.0 - alpha), level=1.0 - alpha
        )

    def quantile(self, share: float) -> float | None:
        """A quantile of the draws, None when it has no end."""
        found = float(np.quantile(self.draws, share, method="inverted_cdf"))
        return found if math.isfinite(found) else None

    def deviations_above(self, limit: float) -> float:
        """Distance of the estimate above `limit` in standard deviations of the draws; negative below it."""
        distance = (self.estimate or 0.0) - limit
        spread = float(np.std(self.draws[np.isfinite(self.draws)])) if self.draws.size else 0.0
        return distance / spread if spread > 0.0 else math.copysign(math.inf, distance)


class Bootstrap:
    """Sums of columns, over all pairs and over draws that keep each cluster whole."""

    def __init__(self, pairs: pl.DataFrame, columns: list[str], *, draws: int = DRAWS) -> None:
        """Draw from `pairs`, which has `cluster` and the numeric `columns`, none of them null."""
        units = _units(pairs, columns)
        self._units = units
        self._sums = units.sum(axis=0)[:, np.newaxis]
        self._draws = np.empty((len(columns), 0))
        if len(units) >= 2:
            random = np.random.default_rng(BOOTSTRAP_SEED)
            self._draws = (_weights(random, len(units), draws) @ units).T

    def totals(self, function: Callable[[FloatArray], FloatArray]) -> Totals:
        """A function of the sums: it takes shape (columns, n), in the order given, and answers n numbers."""
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = float(function(self._sums)[0])
            draws = function(self._draws)
        if not math.isfinite(estimate):
            return Totals(None, np.empty(0))
        # A draw without any delivered request has no price: it counts as the worst, never as nothing.
        return Totals(estimate, np.where(np.isnan(draws), np.inf, draws))

    def corrected(self, function: Callable[[FloatArray], FloatArray], *, level: float) -> Range:
        """Efron's BCa interval of a function of the sums; no ends where there is nothing to divide by."""
        totals = self.totals(function)
        if totals.estimate is None:
            return Range(None, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            without_one = function(self._sums - self._units.T)
        return bca(totals.estimate, totals.draws, without_one[np.isfinite(without_one)], level=level)


def _weights(random: np.random.Generator, units: int, draws: int) -> FloatArray:
    """How often each unit is in each draw, shape (draws, units): a multinomial, several times quicker than numpy's."""
    drawn = random.integers(0, units, size=(draws, units)) + units * np.arange(draws)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)


def _units(pairs: pl.DataFrame, columns: list[str]) -> FloatArray:
    """Sums for each unit that is drawn whole, shape (units, columns), in an order that only the data decides."""
    by_cluster = pairs.group_by("cluster").agg(pl.col(columns).sum()).sort("cluster", nulls_last=True)
    if by_cluster.height < _FEWEST_CLUSTERS:
        return pairs.select(columns).sort(columns).to_numpy().astype(np.float64)
    if by_cluster.height > _MOST_UNITS:
        group = pl.int_range(pl.len()) % _MOST_UNITS
        by_cluster = by_cluster.group_by(group.alias("group")).agg(pl.col(columns).sum()).sort("group")
    return by_cluster.select(columns).to_numpy().astype(np.float64)
