"""The gate on a mean over voices: each voice, or user where there is no voice, counts once.

Requests of one voice are alike, so that a mean over requests passes a worse candidate in 12 to 36 % of cases
(verdicts.md 2.3 D); more voices say more than more requests of one. Proven by a confidence sequence over the voices'
means, which may be looked at every night.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.findings import Evaluated, conclude, unjudged
from analysis.gates import ClusterMean
from analysis.pairs import heard
from analysis.proofs import Bar, Proof, bound_words, more_pairs
from analysis.scene import Scene
from analysis.units import amount, count, rough
from harness.judgement import Forecast, Interval, Outcome

__all__ = ["ClusterMeans", "judge_clusters", "means_of"]

FloatArray = NDArray[np.float64]

_MOST_CLUSTERS: Final = 100_000  # a need beyond is no plan
_FORECAST_RANGE: Final = (0.4, 3.5)  # as for pairs (verdicts.md 2.3 K)


@dataclass(frozen=True, slots=True)
class ClusterMeans:
    """How much worse the candidate is, one number a cluster."""

    values: FloatArray
    pairs: int  # they are made from

    def half_width(self, alpha: float, *, margin: float, planned: int, clusters: float | None = None) -> float:
        """Of a one-sided asymptotic confidence sequence around the mean.

        Args:
            alpha: Chance that the mean ever leaves it on that side.
            margin: One more cluster is imagined this far from the mean: equal values do not prove a mean by themselves.
            planned: Clusters for which it is narrowest, fixed beforehand (verdicts.md, correction 5).
            clusters: How many there would be; None for as many as there are.
        """
        size = float(self.values.size)
        variance = (float(((self.values - self.values.mean()) ** 2).sum()) + margin**2) / size
        n = size if clusters is None else clusters
        log_alpha = -2.0 * math.log(alpha)
        rho2 = (log_alpha + math.log(log_alpha + 1.0)) / planned
        inner = n * rho2 + 1.0
        return math.sqrt(variance * 2.0 * inner / (n * n * rho2) * math.log(1.0 + math.sqrt(inner) / (2.0 * alpha)))


def means_of(gate: ClusterMean, scene: Scene) -> ClusterMeans:
    """The excess of each cluster, ordered by its name so that the order of rows never matters."""
    if gate.is_distance:
        pairs = scene.triples.lazy().filter(heard("control", "candidate", "repeat"))
        excess = pl.col(f"candidate_{gate.feature}") - pl.col(f"repeat_{gate.feature}")
    else:
        pairs = scene.pairs.lazy().filter(heard("control", "candidate"))
        excess = pl.col(f"candidate_{gate.feature}") - pl.col(f"control_{gate.feature}")
        excess = -excess if gate.worse == "lower" else excess
    found = pairs.select("cluster", excess=excess.fill_nan(None)).drop_nulls().collect()
    # Sorted within as well: sums of floats depend on their order.
    clusters = found.sort("cluster", "excess").group_by("cluster", maintain_order=True).agg(pl.col("excess").mean())
    return ClusterMeans(clusters["excess"].to_numpy().astype(np.float64), found.height)


def judge_clusters(name: str, gate: ClusterMean, scene: Scene) -> Evaluated:
    """How much worse the candidate is on the mean of voices; open below the floor on their number."""
    means = means_of(gate, scene)
    clusters = int(means.values.size)
    counts = {"pairs": means.pairs, "left_out": scene.pairs.height - means.pairs, "clusters": clusters}
    if clusters < gate.min_clusters:
        missing = gate.min_clusters - clusters
        each = math.ceil(means.pairs / clusters) if clusters else 1
        needs = _more(missing * each, missing * each, missing)
        of = " with a repeat of control" if gate.is_distance else ""
        why = f"{count(clusters, 'voice or user')}{of}, not judged below {gate.min_clusters}; {needs.text}"
        return unjudged(
            name, gate, scene.operation, outcome=Outcome.INCONCLUSIVE, why=why, counts=counts, forecast=needs
        )
    what = f"{gate.feature} of the mean voice is {'lower' if gate.worse == 'lower' else 'higher'} by"
    return conclude(name, gate, scene, [_prove(gate, means, scene.bar)], what, counts)


def _prove(gate: ClusterMean, means: ClusterMeans, bar: Bar) -> Proof:
    mean = float(means.values.mean())
    half = means.half_width(bar.alpha, margin=gate.margin, planned=gate.min_clusters)
    to_fail = means.half_width(bar.alpha / bar.family, margin=gate.margin, planned=gate.min_clusters)
    outcome = Outcome.INCONCLUSIVE
    if mean - to_fail > gate.margin:
        outcome = Outcome.FAIL
    elif mean + half <= gate.margin:
        outcome = Outcome.PASS
    interval = Interval(estimate=mean, low=mean - half, high=mean + half, level=1.0 - bar.alpha)
    against = "control's own repeat" if gate.is_distance else "control's"
    words = (
        f"{bound_words(interval, outcome, 'value', signed=True)} than {against}, limit "
        f"{amount(gate.margin, 'value', signed=True)}; mean {amount(mean, 'value', signed=True)} over "
        f"{count(means.values.size, 'voice')} and {count(means.pairs, 'pair')}"
    )
    proof = Proof(outcome=outcome, interval=interval, limit=gate.margin, unit="value", words=words)
    if outcome is Outcome.FAIL:
        return replace(proof, strength=((mean - gate.margin) / to_fail) ** 2)
    return replace(proof, forecast=_forecast(gate, means, bar) if outcome is Outcome.INCONCLUSIVE else None)


def _forecast(gate: ClusterMean, means: ClusterMeans, bar: Bar) -> Forecast:
    """Clusters at which the width would meet the margin, at the present mean and spread."""
    room = gate.margin - float(means.values.mean())
    size = means.values.size

    def is_narrow(clusters: float) -> bool:
        return means.half_width(bar.alpha, margin=gate.margin, planned=gate.min_clusters, clusters=clusters) <= room

    low, high = float(size), float(_MOST_CLUSTERS)
    if room <= 0.0 or not is_narrow(high):
        return Forecast(pairs_low=None, pairs_high=None, text="will not pass at this rate")
    while high - low > 0.5:
        middle = (low + high) / 2.0
        low, high = (low, middle) if is_narrow(middle) else (middle, high)
    more = max(1.0, high - size)
    each = means.pairs / size
    pairs = [rough(max(1.0, share * more * each)) for share in _FORECAST_RANGE]
    return _more(pairs[0], pairs[1], math.ceil(more))


def _more(low: int, high: int, voices: int) -> Forecast:
    pairs = more_pairs(low, high)
    return replace(pairs, text=f"{pairs.text} from about {count(voices, 'further voice')} or users")
