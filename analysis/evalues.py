"""How strongly paired counts prove or refute a margin, valid at any number of looks.

Each pair yields d in {-1, 0, +1}: +1 when only the candidate was bad, -1 when only control was. A mixture e-process
bets on the mean of d (verdicts.md 2.2): under the hypothesis it bets against, it reaches 1/alpha with probability at
most alpha, however often one looks and however few pairs there are. What "bad" means is the gate's business.

Every function takes counts as numbers or arrays that broadcast against each other, and answers in that shape.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "log_e_fail",
    "log_e_pass",
    "lower_bound",
    "pairs_needed",
    "proof_at",
    "turning_point",
    "upper_bound",
]

FloatArray = NDArray[np.float64]

# Shares of the largest bet that cannot go broke; the mixture gives each the same weight (verdicts.md 2.2).
_GRID: Final = np.geomspace(0.002, 0.95, 40)
_EDGE: Final = 1e-9  # bounds are looked for between floor + edge and 1 - edge
_ALL_LOST: Final = np.log1p(-_GRID)  # by a bet on a pair that goes against it as far as a pair can
_PARTS, _ROUNDS = 32, 8  # 32^-8 of an interval of length 2: far below any printed digit


def proof_at(alpha: float, family: int = 1) -> float:
    """The log e-value from which a claim counts as proven: log(family / alpha)."""
    return math.log(family / alpha)


def log_e_pass(only_candidate: ArrayLike, only_control: ArrayLike, pairs: ArrayLike, margin: ArrayLike) -> FloatArray:
    """Log evidence that the mean of d is below `margin`.

    Args:
        only_candidate: Pairs where only the candidate was bad.
        only_control: Pairs where only control was bad; 0 for a share of the candidate alone.
        pairs: All pairs, both of the above among them.
        margin: What the mean of d must stay below, in (-1, 1); 0.01 is one percentage point.
    """
    worse, better, even, m = _broadcast(only_candidate, only_control, pairs, margin)
    bet = _GRID / (1.0 - m)
    with np.errstate(invalid="ignore"):
        log_e = worse * _ALL_LOST + better * np.log1p(bet * (m + 1.0)) + even * np.log1p(bet * m)
    return _log_mean_exp(log_e)


def log_e_fail(
    only_candidate: ArrayLike,
    only_control: ArrayLike,
    pairs: ArrayLike,
    margin: ArrayLike,
    *,
    floor: float = -1.0,
) -> FloatArray:
    """Log evidence that the mean of d is above `margin`.

    Args:
        only_candidate: Pairs where only the candidate was bad.
        only_control: Pairs where only control was bad.
        pairs: All pairs.
        margin: What the mean of d is shown to exceed, in (floor, 1).
        floor: The least d can be: -1 for pairs, 0 for a share of one lane, which allows larger bets.
    """
    worse, better, even, m = _broadcast(only_candidate, only_control, pairs, margin)
    bet = _GRID / (m - floor)
    log_e = worse * np.log1p(bet * (1.0 - m)) + even * np.log1p(-bet * m)
    if floor < 0.0:  # with a floor of 0 no pair can favour the candidate
        log_e = log_e + better * np.log1p(-bet * (1.0 + m))
    return _log_mean_exp(log_e)


def upper_bound(
    only_candidate: ArrayLike, only_control: ArrayLike, pairs: ArrayLike, *, alpha: float, floor: float = -1.0
) -> FloatArray:
    """The smallest margin these counts would prove to be kept; 1.0 when they prove none."""
    proof = proof_at(alpha)

    def is_above(worse: FloatArray, better: FloatArray, count: FloatArray, margin: FloatArray) -> NDArray[np.bool_]:
        return np.asarray(log_e_pass(worse, better, count, margin) >= proof)

    return _margin_of(is_above, only_candidate, only_control, pairs, floor=floor)


def lower_bound(
    only_candidate: ArrayLike, only_control: ArrayLike, pairs: ArrayLike, *, alpha: float, floor: float = -1.0
) -> FloatArray:
    """The largest margin these counts would prove to be broken; `floor` when they prove none."""
    proof = proof_at(alpha)

    def is_above(worse: FloatArray, better: FloatArray, count: FloatArray, margin: FloatArray) -> NDArray[np.bool_]:
        return np.asarray(log_e_fail(worse, better, count, margin, floor=floor) < proof)

    return _margin_of(is_above, only_candidate, only_control, pairs, floor=floor)


def pairs_needed(
    only_candidate: ArrayLike, only_control: ArrayLike, pairs: ArrayLike, margin: ArrayLike, *, alpha: float
) -> FloatArray:
    """About how many more pairs until `margin` is proven, at the rates seen so far.

    Rates are smoothed by half a count each (Krichevsky-Trofimov), so none is taken for impossible. Half of such
    forecasts are within a factor of two (verdicts.md 2.3 K), so print a rounded range.

    Returns:
        0 when it is proven already, `inf` when it will not be at this rate.
    """
    worse, better, even, m = _broadcast(only_candidate, only_control, pairs, margin)
    total = worse + better + even + 1.5
    bet = _GRID / (1.0 - m)
    growth = (
        (worse + 0.5) * np.log1p(bet * (m - 1.0))
        + (better + 0.5) * np.log1p(bet * (m + 1.0))
        + (even + 0.5) * np.log1p(bet * m)
    )
    fastest = (growth / total).max(axis=-1)
    missing = np.maximum(0.0, proof_at(alpha) - log_e_pass(only_candidate, only_control, pairs, margin))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(missing == 0.0, 0.0, np.where(fastest > 0.0, missing / fastest, np.inf))


def _broadcast(*values: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Worse, better, even pairs and the margin, each with a last axis for the grid of bets."""
    worse, better, pairs, margin = (np.asarray(value, dtype=np.float64)[..., np.newaxis] for value in values)
    return worse, better, pairs - worse - better, margin


def _log_mean_exp(values: FloatArray) -> FloatArray:
    highest = np.maximum.reduce(values, axis=-1, keepdims=True)
    total = np.add.reduce(np.exp(values - highest), axis=-1)
    mean: FloatArray = highest[..., 0] + np.log(total / values.shape[-1])
    return mean


def _margin_of(is_above: Any, *counts: ArrayLike, floor: float) -> FloatArray:
    """Where a condition on counts and a margin turns, in (floor, 1)."""
    columns = [np.asarray(each, dtype=np.float64)[..., np.newaxis] for each in counts]
    low = np.full(np.broadcast_shapes(*(each.shape[:-1] for each in columns)), floor + _EDGE)
    return turning_point(lambda margins: is_above(*columns, margins), low, 1.0 - floor - 2.0 * _EDGE)


def turning_point(is_above: Callable[[FloatArray], NDArray[np.bool_]], low: FloatArray, width: float) -> FloatArray:
    """Where a condition that is false below and true above turns, to 1e-12 of `width`.

    Several places are tried at once: numpy takes hardly longer for them than for one.

    Args:
        is_above: Answers numbers of shape (..., n) in that shape.
        low: Where to look from, shape (...).
        width: How far to look.
    """
    parts = np.arange(1, _PARTS) / _PARTS
    for _ in range(_ROUNDS):
        tried = low[..., np.newaxis] + width * parts
        low = low + width / _PARTS * (~is_above(tried)).sum(axis=-1)
        width /= _PARTS
    return low + width
