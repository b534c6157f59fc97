"""Numbers measured on many pairs, with the range they may lie in: slow quantiles and ratios of totals.

Nothing here knows a gate's limit.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.evalues import log_e_fail, log_e_pass, proof_at, turning_point
from analysis.groups import Groups
from analysis.intervals import Range, bca
from analysis.pairs import Counts
from harness.judgement import Interval

__all__ = ["BOOTSTRAP_SEED", "DRAWS", "Bootstrap", "Tail", "Totals", "order_statistic"]

FloatArray = NDArray[np.float64]

BOOTSTRAP_SEED: Final = 20261123  # fixed: judging the same evidence again gives the same bytes
DRAWS: Final = 4000  # leaves several draws beyond the family-wise 0.05 / 30
_FEWEST_CLUSTERS: Final = 5  # below, the few voices are the population, and requests are drawn instead
_MOST_UNITS: Final = 500  # more clusters are dealt into this many groups, which bounds time
_MOST_REQUESTS: Final = 5_000  # more of them are dealt as well
_MOST_WEIGHTS: Final = 250_000  # worked out at a time: 2 MB, which stay in the processor's cache
_RATIO_RANGE: Final = (1e-3, 1e3)  # a ratio beyond is reported as having no end


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
        self._candidate = _Ladder(candidate_s, quantile)
        self._while_slow = np.sort(candidate_s[slow])

    def counts(self, ratio: float) -> Counts:
        """Pairs where only the candidate exceeds `ratio` times the reference, only control the reference, or both."""
        candidate_only, control_only = (int(number) for number in self._only_slow(np.asarray(ratio)))
        return Counts(self.pairs, candidate_only, control_only, self._while_slow.size - control_only)

    def _only_slow(self, ratios: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of each ratio, the pairs where only the candidate is slow, and those where only control is."""
        limits = ratios * (math.inf if self.reference_s is None else self.reference_s)
        control_only = np.searchsorted(self._while_slow, limits, side="right")
        return self._candidate.above(limits) - (self._while_slow.size - control_only), control_only

    def ratio(self, alpha: float) -> Interval:
        """Candidate's quantile by control's; each end holds with 1 - alpha at any number of looks."""
        if not self.reference_s or not self.control_s or self.candidate_s is None:
            return Interval(estimate=None, low=None, high=None, level=1.0 - alpha)
        proof = proof_at(alpha)

        def passes(ratios: FloatArray) -> NDArray[np.bool_]:
            return np.asarray(log_e_pass(*self._only_slow(ratios), self.pairs, 0.0) >= proof)

        def no_longer_fails(ratios: FloatArray) -> NDArray[np.bool_]:
            return np.asarray(log_e_fail(*self._only_slow(ratios), self.pairs, 0.0) < proof)

        low, high = _ratio_where(no_longer_fails), _ratio_where(passes)
        return Interval(
            estimate=self.candidate_s / self.control_s,
            low=low if low > _RATIO_RANGE[0] else None,
            high=high if high < _RATIO_RANGE[1] else None,
            level=1.0 - alpha,
        )


class _Ladder:
    """Times that are asked again and again how many are longer: sorted only where the slow ones are."""

    def __init__(self, times_s: FloatArray, quantile: float) -> None:
        place = int((2.0 * quantile - 1.0) * times_s.size)  # twice as many as are slow: a limit may lie a little lower
        self._times_s = times_s
        self._upper = np.sort(np.partition(times_s, place)[place:]) if times_s.size else times_s

    def above(self, limits_s: FloatArray) -> NDArray[np.intp]:
        """How many are longer than each limit."""
        found = np.asarray(self._upper.size - np.searchsorted(self._upper, limits_s, side="right"))
        # All of the upper ones are longer: some of the others may be as well.
        for place in np.argwhere(found == self._upper.size):
            found[tuple(place)] = np.count_nonzero(self._times_s > limits_s[tuple(place)])
        return found


def _ratio_where(is_above: Callable[[FloatArray], NDArray[np.bool_]]) -> float:
    """The ratio where a condition turns from false to true; the ends of the range when it never does."""
    ends = np.array(_RATIO_RANGE)
    is_low, is_high = is_above(ends)
    if is_low or not is_high:
        return _RATIO_RANGE[0 if is_low else 1]
    low, high = np.log(ends)
    return math.exp(turning_point(lambda logs: is_above(np.exp(logs)), np.asarray(low), float(high - low)))


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
            self._draws = _drawn_sums(units, draws).T

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


def _drawn_sums(units: FloatArray, draws: int) -> FloatArray:
    """The sums of every draw, shape (draws, columns); several draws at a time, which bounds memory."""
    random = np.random.default_rng(BOOTSTRAP_SEED)
    at_once = max(1, _MOST_WEIGHTS // len(units))
    firsts = range(0, draws, at_once)
    return np.concatenate(
        [_weights(random, len(units), min(at_once, draws - first)).astype(np.float64) @ units for first in firsts]
    )


def _weights(random: np.random.Generator, units: int, draws: int) -> NDArray[np.intp]:
    """How often each unit is in each draw, shape (draws, units): a multinomial, several times quicker than numpy's."""
    drawn = random.integers(0, units, size=(draws, units)) + units * np.arange(draws)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)


def _units(pairs: pl.DataFrame, columns: list[str]) -> FloatArray:
    """Sums for each unit that is drawn whole, shape (units, columns), in an order that only the data decides."""
    clusters = Groups(pairs["cluster"])
    if clusters.sizes.size < _FEWEST_CLUSTERS:
        requests: FloatArray = pairs.select(columns).sort(columns).to_numpy().astype(np.float64)
        # What was put in order by its size is shuffled: groups dealt from that would be too much alike.
        shuffled = np.random.default_rng(BOOTSTRAP_SEED).permutation
        return requests if len(requests) <= _MOST_REQUESTS else _dealt(shuffled(requests))
    by_name = [clusters.sums(pairs[column])[clusters.in_order] for column in columns]
    return _dealt(np.column_stack(by_name))


def _dealt(units: FloatArray) -> FloatArray:
    """Many units added up in `_MOST_UNITS` groups; few as they are."""
    if len(units) <= _MOST_UNITS:
        return units
    group = np.arange(len(units)) % _MOST_UNITS
    return np.column_stack([np.bincount(group, weights=column) for column in units.T])
