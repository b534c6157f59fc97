"""One claim against one limit: proven kept, proven broken, or open with a forecast.

A gate makes one claim or two ("not worse than control" and "not above the limit"); the worst of them is its finding.
"""

import math
from dataclasses import dataclass
from typing import Final

from analysis.estimates import Tail, Totals
from analysis.evalues import log_e_fail, log_e_pass, lower_bound, pairs_needed, proof_at, upper_bound
from analysis.pairs import Counts
from analysis.units import amount, count, rough, span
from harness.judgement import Forecast, Interval, Outcome

__all__ = ["Bar", "Proof", "bound_words", "more_pairs", "prove_paired", "prove_share", "prove_tail", "prove_total"]

_FORECAST_FROM: Final = 50  # pairs; below, a rate is not known well enough to forecast anything
# Where 80 % of forecasts end, as multiples of the estimate (verdicts.md 2.3 K: 0.37 to 3.5).
_FORECAST_RANGE: Final = (0.4, 3.5)
_ROUNDING: Final = 1.0 + 1e-9  # a price that equals its limit keeps it
_LANES: Final = {"control": "control", "repeat": "control's own repeat"}
_NEVER: Final = 1_000_000  # pairs; a need beyond is no plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What counts as proven."""

    alpha: float  # chance of a wrong pass, each claim
    family: int  # claims that could fail wrongly: together they do with a chance of alpha

    @property
    def to_pass(self) -> float:
        """Log e-value."""
        return proof_at(self.alpha)

    @property
    def to_fail(self) -> float:
        """Log e-value."""
        return proof_at(self.alpha, self.family)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What became of one claim."""

    outcome: Outcome
    interval: Interval
    limit: float
    unit: str
    words: str  # the numbers in words, without the outcome
    strength: float = 0.0  # of a fail: log evidence beyond what was needed
    forecast: Forecast | None = None


def _outcome(log_pass: float, log_fail: float, bar: Bar) -> Outcome:
    if log_fail >= bar.to_fail:
        return Outcome.FAIL
    return Outcome.PASS if log_pass >= bar.to_pass else Outcome.INCONCLUSIVE


def prove_paired(counts: Counts, margin_pp: float, bar: Bar, *, against: str = "control") -> Proof:
    """The candidate is bad at most `margin_pp` percentage points more often than `against`."""
    worse, better, pairs = counts.candidate_only, counts.control_only, counts.pairs
    margin = margin_pp / 100.0
    log_fail = float(log_e_fail(worse, better, pairs, margin))
    outcome = _outcome(float(log_e_pass(worse, better, pairs, margin)), log_fail, bar)
    interval = Interval(
        estimate=100.0 * (worse - better) / pairs if pairs else None,
        low=100.0 * float(lower_bound(worse, better, pairs, alpha=bar.alpha)),
        high=100.0 * float(upper_bound(worse, better, pairs, alpha=bar.alpha)),
        level=1.0 - bar.alpha,
    )
    limit = amount(margin_pp, "pp", signed=True)
    words = (
        f"{bound_words(interval, outcome, 'pp', signed=True)} against {_LANES[against]}, limit {limit}; "
        f"candidate alone {worse:,}, {against} alone {better:,}, both {counts.both:,} of {count(pairs, 'pair')}"
    )
    needed = float(pairs_needed(worse, better, pairs, margin, alpha=bar.alpha))
    return Proof(
        outcome=outcome,
        interval=interval,
        limit=margin_pp,
        unit="pp",
        words=words,
        strength=log_fail - bar.to_fail,
        forecast=_forecast(outcome, needed, pairs),
    )


def prove_share(
    bad: int, pairs: int, limit_pct: float, bar: Bar, *, what: str = "of the candidate's requests"
) -> Proof:
    """At most `limit_pct` percent are bad, whatever control does."""
    limit = limit_pct / 100.0
    log_fail = float(log_e_fail(bad, 0, pairs, limit, floor=0.0))
    outcome = _outcome(float(log_e_pass(bad, 0, pairs, limit)), log_fail, bar)
    interval = Interval(
        estimate=100.0 * bad / pairs if pairs else None,
        low=100.0 * float(lower_bound(bad, 0, pairs, alpha=bar.alpha, floor=0.0)),
        high=100.0 * float(upper_bound(bad, 0, pairs, alpha=bar.alpha, floor=0.0)),
        level=1.0 - bar.alpha,
    )
    words = (
        f"{bound_words(interval, outcome, 'pct')} {what}, limit {amount(limit_pct, 'pct')}; "
        f"{bad:,} of {count(pairs, 'request')}"
    )
    needed = float(pairs_needed(bad, 0, pairs, limit, alpha=bar.alpha))
    return Proof(
        outcome=outcome,
        interval=interval,
        limit=limit_pct,
        unit="pct",
        words=words,
        strength=log_fail - bar.to_fail,
        forecast=_forecast(outcome, needed, pairs),
    )


def prove_tail(tail: Tail, quantile: float, ratio_max: float, bar: Bar) -> Proof:
    """The candidate's slow quantile is at most `ratio_max` times control's."""
    counts = tail.counts(ratio_max)
    worse, better, pairs = counts.candidate_only, counts.control_only, counts.pairs
    log_fail = float(log_e_fail(worse, better, pairs, 0.0))
    outcome = _outcome(float(log_e_pass(worse, better, pairs, 0.0)), log_fail, bar)
    interval = tail.ratio(bar.alpha)
    name = f"p{100 * quantile:g}"
    words = (
        f"{name} {bound_words(interval, outcome, 'ratio')} control's, limit {amount(ratio_max, 'ratio')}; "
        f"{name} {amount(tail.candidate_s, 's')} against {amount(tail.control_s, 's')} in {count(pairs, 'pair')}"
    )
    needed = float(pairs_needed(worse, better, pairs, 0.0, alpha=bar.alpha))
    return Proof(
        outcome=outcome,
        interval=interval,
        limit=ratio_max,
        unit="ratio",
        words=words,
        strength=log_fail - bar.to_fail,
        forecast=_forecast(outcome, needed, pairs),
    )


def prove_total(totals: Totals, limit: float, unit: str, pairs: int, bar: Bar) -> Proof:
    """The ratio of two sums is at most `limit`: passed by its upper bound, failed by its family-wise lower bound."""
    interval = totals.interval(bar.alpha)
    lowest = totals.quantile(bar.alpha / bar.family) if totals.draws.size else None
    outcome = Outcome.INCONCLUSIVE
    if interval.high is not None and interval.high <= limit * _ROUNDING:
        outcome = Outcome.PASS
    elif lowest is not None and lowest > limit * _ROUNDING:
        outcome = Outcome.FAIL
    deviations = totals.deviations_above(limit)
    words = (
        f"{bound_words(interval, outcome, unit)}, limit {amount(limit, unit)}; "
        f"{amount(totals.estimate, unit)} over {count(pairs, 'pair')}"
    )
    return Proof(
        outcome=outcome,
        interval=interval,
        limit=limit,
        unit=unit,
        words=words,
        # The log-likelihood ratio of a distance in standard deviations: on the scale of a log e-value.
        strength=min(deviations**2 / 2.0, 1e6) if outcome is Outcome.FAIL else 0.0,
        forecast=_forecast(outcome, _needed_for_total(totals, limit, pairs, bar), pairs),
    )


def _needed_for_total(totals: Totals, limit: float, pairs: int, bar: Bar) -> float:
    """More pairs until the upper bound of a sum, which shrinks with the root of their number, meets the limit."""
    high = totals.interval(bar.alpha).high
    if totals.estimate is None or high is None or totals.estimate >= limit:
        return math.inf
    return float(pairs * max(0.0, ((high - totals.estimate) / (limit - totals.estimate)) ** 2 - 1.0))


def bound_words(interval: Interval, outcome: Outcome, unit: str, *, signed: bool = False) -> str:
    """The end of the interval that decides; both while it is open."""
    if outcome is Outcome.PASS:
        return f"at most {amount(interval.high, unit, signed=signed)}"
    if outcome is Outcome.FAIL:
        return f"at least {amount(interval.low, unit, signed=signed)}"
    return span(interval.low, interval.high, unit, signed=signed)


def _forecast(outcome: Outcome, needed: float, pairs: int) -> Forecast | None:
    """What an open claim still needs; None when it is settled, or too little is known to tell."""
    if outcome is not Outcome.INCONCLUSIVE or pairs < _FORECAST_FROM:
        return None
    if needed > _NEVER:
        return Forecast(pairs_low=None, pairs_high=None, text="will not pass at this rate")
    return more_pairs(rough(max(1.0, needed * _FORECAST_RANGE[0])), rough(max(1.0, needed * _FORECAST_RANGE[1])))


def more_pairs(low: int, high: int) -> Forecast:
    """A need of `low` to `high` more pairs, in words."""
    text = f"needs {count(low, 'more pair')}" if low == high else f"needs about {low:,} to {high:,} more pairs"
    return Forecast(pairs_low=low, pairs_high=high, text=text)
