"""What textbooks would say beside each gate: intervals for one look, shown and never judged by."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.clusters import means_of
from analysis.estimates import BOOTSTRAP_SEED, Bootstrap
from analysis.findings import Evaluated
from analysis.gates import ClusterMean, Gate, PairedBinary, PairedTail, PerVoice, RatioOfTotals
from analysis.intervals import Beside, Range, exact_share, order_statistics, tail_bootstrap, tango
from analysis.scene import Scene

__all__ = ["beside"]

FloatArray = NDArray[np.float64]

_LEVEL: Final = 0.95  # of both ends together, as readers know them
_DRAWS: Final = 1_000


def beside(gate: Gate, evaluated: Evaluated, scene: Scene) -> tuple[Beside, ...]:
    """The textbook's intervals for what one gate found on all pairs; none where nothing was measured.

    Args:
        gate: The rule.
        evaluated: What it came to: paired counts are taken from it.
        scene: What it was judged on.
    """
    finding = evaluated.finding
    if finding.interval.estimate is None:
        return ()
    match gate:
        case PairedTail():
            return _tail(gate, scene)
        case RatioOfTotals():
            return evaluated.beside  # of the same draws
        case ClusterMean():
            return _means(gate, scene)
        case PerVoice():
            return _voices(finding.counts)
    return _paired(gate, finding.counts)


def _paired(gate: Gate, counts: Mapping[str, int]) -> tuple[Beside, ...]:
    worse, better, both, pairs = (counts[name] for name in ("candidate_only", "control_only", "both", "pairs"))
    found = []
    if not (isinstance(gate, PairedBinary) and gate.margin_pp is None):
        ends = _scaled(tango(worse, better, pairs, level=_LEVEL), 100.0)
        found.append(Beside("difference of shares", "Tango score", "pp", *ends))
    ends = _scaled(exact_share(worse + both, pairs, level=_LEVEL), 100.0)
    return (*found, Beside("candidate's share", "Clopper-Pearson", "pct", *ends))


def _voices(counts: Mapping[str, int]) -> tuple[Beside, ...]:
    """None of V shown broken leaves room for about 3/V (verdicts.md 2.3 I)."""
    ends = _scaled(exact_share(counts["broken"], counts["voices"], level=_LEVEL), 100.0)
    return (Beside("share of broken voices", "Clopper-Pearson", "pct", *ends),)


def _tail(gate: PairedTail, scene: Scene) -> tuple[Beside, ...]:
    control_s, candidate_s = scene.times(gate.feature)
    ratio = tail_bootstrap(control_s, candidate_s, gate.quantile, level=_LEVEL, draws=_DRAWS, seed=BOOTSTRAP_SEED)
    own = order_statistics(candidate_s, gate.quantile, level=_LEVEL)
    name = f"p{100 * gate.quantile:g}"
    return (
        Beside(f"ratio of {name}", "paired bootstrap", "ratio", *ratio),
        Beside(f"candidate's {name}", "order statistics", "s", *own),
    )


def _means(gate: ClusterMean, scene: Scene) -> tuple[Beside, ...]:
    values = means_of(gate, scene).values
    names = pl.int_range(values.size, eager=True).cast(pl.String)
    sums = Bootstrap(pl.DataFrame({"cluster": names, "sum": values, "size": 1.0}), ["sum", "size"], draws=_DRAWS)
    ends = sums.corrected(lambda each: each[0] / each[1], level=_LEVEL)
    return (Beside("mean over voices", "BCa over voices", "value", *ends),)


def _scaled(ends: Range, scale: float) -> Range:
    return Range(*(None if end is None else scale * end for end in ends))
