"""What more pairs cost and how long they take, at the price and pace of those judged so far."""

import math
from dataclasses import replace
from typing import NamedTuple, Self

import polars as pl

from analysis.findings import Evaluated
from analysis.samples import Sample
from analysis.units import count, rough
from harness.judgement import Forecast

__all__ = ["Pace", "priced"]

_SIDES = ("control", "candidate")


class Pace(NamedTuple):
    """How one operation has been replayed so far."""

    usd_per_pair: float | None  # all lanes, repeats spread over the pairs; None: no price is known
    pairs_per_night: float | None  # None: there has been none

    @classmethod
    def of(cls, sample: Sample, noise_pairs: pl.DataFrame) -> Self:
        """The pace of a sample.

        Args:
            sample: What counts of one operation.
            noise_pairs: Control and repeat of the same operation.
        """
        pairs = sample.pairs.height
        if not pairs:
            return cls(None, None)
        costs = [sample.pairs[f"{side}_cost_microusd"].mean() for side in _SIDES]
        known = [float(cost) for cost in costs if isinstance(cost, int | float)]
        repeats = int(noise_pairs["repeat_cost_microusd"].sum()) / max(1, sample.planned)
        usd = (sum(known) + repeats) / 1e6 if len(known) == len(costs) else None
        return cls(usd, pairs / sample.days if sample.days else None)


def priced(evaluated: Evaluated, pace: Pace) -> Evaluated:
    """The same finding, its forecast also in money and nights; untouched where nothing more is needed or will help."""
    finding = evaluated.finding
    needed = finding.forecast
    if needed is None or needed.pairs_low is None or needed.pairs_high is None:
        return evaluated
    usd = [None if pace.usd_per_pair is None else round(pairs * pace.usd_per_pair, 2) for pairs in _ends(needed)]
    nights = [max(needed.nights_low or 0, _nights(pairs, pace)) for pairs in _ends(needed)]
    cost = _range(f"${usd[0]:,.2f}", f"${usd[1]:,.2f}") if usd[0] is not None and usd[0] > 0.0 else ""
    time = _range(f"{nights[0]:,}", count(nights[1], "night")) if nights[1] else ""
    words = ", ".join(part for part in (cost, time) if part)
    if not words:
        return evaluated
    forecast = replace(
        needed,
        usd_low=usd[0],
        usd_high=usd[1],
        nights_low=nights[0],
        nights_high=nights[1],
        text=f"{needed.text} ({words} at the present price and pace)",
    )
    reason = finding.reason.replace(needed.text, forecast.text)
    return evaluated._replace(finding=replace(finding, forecast=forecast, reason=reason))


def _ends(forecast: Forecast) -> tuple[int, int]:
    return forecast.pairs_low or 0, forecast.pairs_high or 0


def _nights(pairs: int, pace: Pace) -> int:
    if not pairs or not pace.pairs_per_night:
        return 0
    nights = pairs / pace.pairs_per_night
    return rough(nights) if nights > 100 else math.ceil(nights)


def _range(low: str, high: str) -> str:
    """One number where both ends read alike: `1 to 3 nights`, `3 nights`."""
    return high if high.split(" ")[0] == low else f"{low} to {high}"
