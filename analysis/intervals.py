"""Intervals as textbooks have them, shown beside what a gate decides by: each holds for one look alone.

A night that looks again and again must not decide by them (verdicts.md 2.3 A); a reader who knows them wants to see
them all the same. Ends are two-sided; None where there is no end.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Beside", "Range", "bca", "exact_share", "order_statistics", "tail_bootstrap", "tango"]

FloatArray = NDArray[np.float64]

_HALVINGS: Final = 40
_BINS: Final = 128  # of ranks around a quantile: below a hundredth of the width that is sought
_FAR: Final = 12.0  # standard deviations, beyond which a chance is 0 in every digit shown
_REACH: Final = 5.0  # standard deviations of a rank, beyond which no draw of a quantile falls


class Range(NamedTuple):
    """Two ends, either of which may be missing."""

    low: float | None
    high: float | None


class Beside(NamedTuple):
    """One interval as it is shown: what of, and by which method a reader would look up."""

    what: str
    method: str
    unit: str
    low: float | None
    high: float | None
    level: float = 0.95


def tango(candidate_only: int, control_only: int, pairs: int, *, level: float) -> Range:
    """Score interval for the difference of two paired shares (Tango 1998): candidate's less control's.

    Unlike Wald's it has a width when no pair differs.
    """
    if pairs == 0:
        return Range(None, None)
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)

    def score(difference: float) -> float:
        a = 2.0 * pairs
        b = -candidate_only - control_only + (2.0 * pairs - candidate_only + control_only) * difference
        c = -control_only * difference * (1.0 - difference)
        q = (math.sqrt(max(0.0, b * b - 4.0 * a * c)) - b) / (2.0 * a)
        variance = pairs * (2.0 * q + difference * (1.0 - difference))
        distance = candidate_only - control_only - pairs * difference
        return distance / math.sqrt(variance) if variance > 0.0 else math.copysign(math.inf, distance)

    middle = (candidate_only - control_only) / pairs
    low = _turn(lambda difference: score(difference) <= z, -1.0, middle)
    high = _turn(lambda difference: score(difference) <= -z, middle, 1.0)
    return Range(low, high)


def _turn(is_above: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition turns from false to true between two ends."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return (low + high) / 2.0


def exact_share(bad: int, requests: int, *, level: float) -> Range:
    """Clopper and Pearson's interval for a share; nothing bad in n leaves room for about 3/n."""
    if requests == 0:
        return Range(None, None)
    tail = (1.0 - level) / 2.0
    share, reach = bad / requests, (_FAR * math.sqrt(bad) + 2.0 * _FAR) / requests
    low, high = max(0.0, share - reach), min(1.0, share + reach)
    low = _turn(lambda p: 1.0 - _chance(bad - 1, requests, p) >= tail, low, share) if bad else 0.0
    high = _turn(lambda p: _chance(bad, requests, p) <= tail, share, high) if bad < requests else 1.0
    return Range(low, high)


def _chance(most: int, count: int, share: float) -> float:
    """That at most so many of `count` happen, each with a chance of `share`."""
    first, below = _binomial(count, share)
    place = most - first
    return 0.0 if place < 0 else 1.0 if place >= below.size else float(below[place])


def _binomial(count: int, share: float) -> tuple[int, FloatArray]:
    """The cumulative binomial distribution where it is neither 0 nor 1: from which number on, and its values.

    Own because `import scipy.special` takes longer than a whole verdict of a small run.
    """
    reach = _FAR * math.sqrt(count * share * (1.0 - share)) + 2.0 * _FAR
    low, high = max(0, math.floor(count * share - reach)), min(count, math.ceil(count * share + reach))
    k = np.arange(low, high, dtype=np.float64)
    steps = np.log(count - k) - np.log(k + 1.0) + math.log(share) - math.log1p(-share)
    logs = np.append(0.0, np.cumsum(steps))
    weights = np.exp(logs - logs.max())
    return low, np.cumsum(weights) / weights.sum()


def order_statistics(values: FloatArray, quantile: float, *, level: float) -> Range:
    """The two values that a quantile lies between, whatever the distribution; infinite values count as none.

    A p99 has no upper end below 368 values at 95 % (verdicts.md 2.1).
    """
    count = values.size
    if count == 0:
        return Range(None, None)
    tail = (1.0 - level) / 2.0
    first, below = _binomial(count, quantile)  # P(at most k values below the quantile)
    low = first + int(np.searchsorted(below, tail, side="right")) - 1  # 0-based: the greatest k with P <= tail
    high = first + int(np.searchsorted(below, 1.0 - tail, side="left"))
    ends = [k for k in (low, high) if 0 <= k < count]
    ordered = np.partition(values, ends) if ends else values
    return Range(*(float(ordered[k]) if k in ends and math.isfinite(ordered[k]) else None for k in (low, high)))


def tail_bootstrap(
    control: FloatArray, candidate: FloatArray, quantile: float, *, level: float, draws: int = 1_000, seed: int = 0
) -> Range:
    """Percentile interval of the ratio of two quantiles, pairs drawn whole.

    Only pairs near either quantile are told apart, by rank; all others are drawn as four lumps, since it is enough to
    know on which side of each quantile they fall. So a million pairs take as long as a thousand.
    """
    count = control.size
    if count == 0:
        return Range(None, None)
    rank = math.ceil(quantile * count)
    edges = [_edges(values, rank, quantile) for values in (control, candidate)]
    places = [np.searchsorted(ends, values) for ends, values in zip(edges, (control, candidate), strict=True)]
    width = edges[1].size + 1
    sizes = np.bincount(places[0] * width + places[1])
    cells = np.flatnonzero(sizes)
    sizes = sizes[cells]
    drawn = np.random.default_rng(seed).multinomial(count, sizes / count, size=draws).astype(np.float64)
    lanes = zip((cells // width, cells % width), edges, strict=True)
    below, above = (_drawn_quantile(drawn, place, ends, rank) for place, ends in lanes)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.nan_to_num(above / below, nan=np.inf, posinf=np.inf)
    tail = (1.0 - level) / 2.0
    ends = (float(np.quantile(ratios, share, method="inverted_cdf")) for share in (tail, 1.0 - tail))
    return Range(*(end if math.isfinite(end) else None for end in ends))


def _edges(values: FloatArray, rank: int, quantile: float) -> FloatArray:
    """Upper ends of bins around the quantile; all of the values where they are few."""
    reach = math.ceil(_REACH * math.sqrt(values.size * quantile * (1.0 - quantile))) + 1
    low, high = max(0, rank - 1 - reach), min(values.size - 1, rank - 1 + reach)
    wanted = np.unique(np.linspace(low, high, min(_BINS, high - low + 1)).round().astype(np.intp))
    return np.unique(np.partition(values, wanted)[wanted])


def _drawn_quantile(drawn: FloatArray, places: NDArray[np.intp], edges: FloatArray, rank: int) -> FloatArray:
    """The quantile of every draw: the first bin by which `rank` values are reached."""
    belongs = (places[:, np.newaxis] == np.arange(edges.size + 1)).astype(np.float64)
    reached = np.cumsum(drawn @ belongs, axis=1) >= rank
    found: FloatArray = np.append(edges, np.inf)[reached.argmax(axis=1)]
    return found


def bca(estimate: float, draws: FloatArray, jackknife: FloatArray, *, level: float) -> Range:
    """Efron's bias-corrected and accelerated interval.

    Args:
        estimate: The statistic on everything.
        draws: It on each draw of whole clusters.
        jackknife: It with each cluster left out in turn.
        level: Of both ends together.
    """
    finite = np.sort(draws[np.isfinite(draws)])
    if finite.size == 0 or jackknife.size < 2:
        return Range(None, None)
    normal = NormalDist()
    share = (np.count_nonzero(finite < estimate) + np.count_nonzero(finite <= estimate)) / (2.0 * finite.size)
    if not 0.0 < share < 1.0:  # every draw on one side: nothing to correct by
        return Range(float(finite[0]), float(finite[-1]))
    bias = normal.inv_cdf(share)
    leaning = jackknife.mean() - jackknife
    spread = float((leaning**2).sum()) ** 1.5
    acceleration = float((leaning**3).sum()) / (6.0 * spread) if spread > 0.0 else 0.0
    ends = []
    for tail in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
        z = bias + normal.inv_cdf(tail)
        ends.append(float(np.quantile(finite, normal.cdf(bias + z / (1.0 - acceleration * z)))))
    return Range(*ends)
