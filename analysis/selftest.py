"""Whether the instrument works tonight: control against its own repeat, and against a spoilt copy of it.

The repeat must not fail, or the ruler moved while it measured; a copy in which enough requests were spoilt must fail,
or the gates are blind. The smallest share that was caught is the sensitivity printed beside the verdict.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from analysis.clusters import means_of
from analysis.evaluators import evaluate
from analysis.gates import ClusterMean, Condition, Gate, PairedAny, PairedBand, PairedBinary, PairedExceed, PairedTail
from analysis.marks import Conditions
from analysis.pairs import OUTCOME_CLASSES, answered, heard
from analysis.scene import Scene
from analysis.shares import fewest_for
from harness.judgement import Outcome
from harness.speech import Operation

__all__ = ["MIN_NOISE_PAIRS", "SelfTest", "self_test", "spoil"]

MIN_NOISE_PAIRS: Final = 100  # below, half of them spoilt need not be proof enough for every gate
# The newest pairs; more sharpen the test little and cost time.
_MOST_MOVED: Final = 10_000
_MOST_PAIRS: Final = 2_000
_SHARES: Final = (0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5)  # spoilt, smallest first
_SEED: Final = 20261123  # which requests are spoilt: the same on every judging of the same evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What the instrument could see tonight in one operation."""

    operation: Operation
    noise_pairs: int  # control and repeat, both answered
    fault: str | None  # why nothing measured tonight may be believed
    caught_from: Mapping[str, float]  # gate → smallest share of spoilt requests that it failed; empty: not tested

    @property
    def is_done(self) -> bool:
        """There were noise pairs enough to test with."""
        return self.noise_pairs >= MIN_NOISE_PAIRS


def self_test(scene: Scene, gates: Mapping[str, Gate]) -> SelfTest:
    """Test the blocking gates of one operation on its noise pairs."""
    places = _places_of_noise(scene.noise_pairs)
    tested = {name: gate for name, gate in gates.items() if gate.blocking}
    if places.len() < MIN_NOISE_PAIRS:
        return SelfTest(operation=scene.operation, noise_pairs=places.len(), fault=None, caught_from={})
    newest = scene.noise_pairs[places.tail(_MOST_MOVED)]
    twins = newest.with_columns(pl.col("^repeat_.*$").name.map(lambda name: name.replace("repeat_", "candidate_", 1)))
    stage = replace(scene, pairs=twins, noise_pairs=newest)
    fault = _moved(stage, tested)
    caught: dict[str, float] = {}
    if fault is None:
        usable = twins.filter(heard("control", "candidate")).tail(_MOST_PAIRS)
        repeats = newest.filter(heard("control", "repeat")).tail(_MOST_PAIRS)
        caught, fault = _spoil_and_judge(replace(stage, pairs=usable, noise_pairs=repeats), tested)
    return SelfTest(operation=scene.operation, noise_pairs=places.len(), fault=fault, caught_from=caught)


def _places_of_noise(noise_pairs: pl.DataFrame) -> pl.Series:
    """Where the noise pairs are that were answered on both sides, one of each capture, the newest last."""
    keys = ["run_id", "capture_id"]
    both = noise_pairs.lazy().with_row_index("place").filter(answered("control") & answered("repeat"))
    return both.select("place", *keys).unique(keys, keep="any").sort(keys).collect()["place"]


def _moved(stage: Scene, gates: Mapping[str, Gate]) -> str | None:
    """Control's repeat fails against control: what the night measured is not the candidate alone."""
    for name, gate in gates.items():
        paired = _against_control_alone(gate)
        if paired is None:
            continue
        finding = evaluate(name, paired, stage).finding
        if finding.outcome is Outcome.FAIL:
            return f"self-test: control's own repeat in the candidate's place: {finding.reason}; the ruler moved"
    return None


def _spoil_and_judge(stage: Scene, gates: Mapping[str, Gate]) -> tuple[dict[str, float], str | None]:
    caught: dict[str, float] = {}
    for name, gate in gates.items():
        paired = _against_control_alone(gate)
        if paired is None or _is_too_small(paired, stage):
            continue
        if evaluate(name, paired, stage).finding.outcome is Outcome.INVALID:
            continue  # the verdict itself says what is wrong with this one
        # What is spoilt in a smaller share is spoilt in a larger one too, so it need not be tried share by share.
        smallest = bisect_left(_SHARES, True, key=lambda share: _fails(name, paired, stage, share))
        if smallest == len(_SHARES):
            return caught, f"self-test: {100 * _SHARES[-1]:g} % of control were spoilt and {name} did not fail"
        caught[name] = _SHARES[smallest]
    return caught, None


def _is_too_small(gate: Gate, stage: Scene) -> bool:
    """The gate would not judge so few, spoilt or not."""
    match gate:
        case PairedTail():
            return stage.pairs.height < fewest_for(gate.quantile)
        case ClusterMean():
            return means_of(gate, stage).values.size < gate.min_clusters
    return False


def _fails(name: str, gate: Gate, stage: Scene, share: float) -> bool:
    spoilt = replace(stage, pairs=spoil(stage.pairs, gate, share))
    return evaluate(name, gate, spoilt).finding.outcome is Outcome.FAIL


def spoil(pairs: pl.DataFrame, gate: Gate, share: float) -> pl.DataFrame:
    """The pairs with a defect that `gate` is there to see planted in a share of the candidate's side."""
    chosen = np.zeros(pairs.height, dtype=bool)
    order = np.random.default_rng(_SEED).permutation(pairs.height)
    chosen[order[: int(share * pairs.height)]] = True
    column, value = _defect(gate)
    picked = pl.Series(chosen)
    return pairs.with_columns(pl.when(picked).then(value).otherwise(pl.col(column)).alias(column))


def _defect(gate: Gate) -> tuple[str, pl.Expr]:
    """The column that is spoilt, and with what."""
    match gate:
        case PairedBinary():
            return "candidate_outcome", pl.lit(OUTCOME_CLASSES[gate.counts][0].value)
        case PairedTail():
            return _slow(gate.feature, gate.ratio_max)
        case PairedExceed() | PairedBand() | PairedAny():
            return _beyond(gate.conditions[0])
        case ClusterMean():
            return _far_off(gate)
    raise TypeError(f"no defect is known for {type(gate).__name__}")


def _beyond(condition: Condition) -> tuple[str, pl.Expr]:
    column = f"candidate_{condition.feature}"
    if condition.above is not None:
        return column, pl.lit(condition.above + abs(condition.above) + 1.0)
    if condition.below is not None:
        return column, pl.lit(condition.below - abs(condition.below) - 1.0)
    if condition.limit_of_control_p95 is not None:
        return _slow(condition.feature, condition.limit_of_control_p95)
    return column, pl.col(f"control_{condition.feature}") * (condition.ratio_low or 1.0) / 2.0


def _far_off(gate: ClusterMean) -> tuple[str, pl.Expr]:
    """Worse by many margins, and by more than values differ among themselves."""
    column = pl.col(f"candidate_{gate.feature}")
    shift = 20.0 * gate.margin + 4.0 * column.fill_nan(None).std().fill_null(0.0)
    return f"candidate_{gate.feature}", column + (-shift if gate.worse == "lower" else shift)


def _slow(feature: str, ratio: float) -> tuple[str, pl.Expr]:
    """Slower than any call of control by more than the gate allows."""
    control = pl.col(f"control_{feature}")
    return f"candidate_{feature}", 2.0 * ratio * control.filter(control.is_finite()).max()


def _against_control_alone(gate: Any) -> Gate | None:
    """The gate without its fixed limits, which say what control may cost or fail, not whether the ruler is true."""
    match gate:
        case PairedBinary(margin_pp=None):
            return None
        case PairedBinary():
            return gate.model_copy(update={"abs_max_pct": None})
        case PairedTail():
            return gate.model_copy(update={"abs_max_s": None})
        case PairedExceed() | PairedBand() | PairedAny():
            kept: Conditions = gate
            return kept
        case ClusterMean():
            mean: ClusterMean = gate
            return mean
    return None
