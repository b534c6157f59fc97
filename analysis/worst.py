"""The pairs in which the candidate did worst beside control, and what was wrong with each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.gates import Condition, Gate, PairedAny, PairedBand, PairedBinary, PairedExceed, PairedTail
from analysis.marks import marks_of
from analysis.scene import Scene
from harness.exchanges import OK

__all__ = ["WorstPair", "worst_pairs"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

_MOST: Final = 10  # that a person looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstPair:
    """One pair, and the blocking gates it counts against."""

    run_id: str
    capture_id: str
    repetition: int
    gates: tuple[str, ...]
    reasons: tuple[str, ...]  # one for each gate


def worst_pairs(scene: Scene, gates: Mapping[str, Gate]) -> tuple[WorstPair, ...]:
    """The pairs that count against the candidate at most gates, the slower one first among equals.

    Args:
        scene: The evidence of one operation.
        gates: Those that judge it.
    """
    marks = {name: marks_of(gate, scene.earliest) for name, gate in gates.items() if gate.blocking}
    spoilt = {name: scene.flags(gates[name], each).worse for name, each in marks.items() if each is not None}
    if not spoilt:
        return ()
    places, bad_gates = _most_often(spoilt.values(), scene.pairs.height)
    later = (pl.col("candidate_service_s") - pl.col("control_service_s")).fill_nan(None).fill_null(float("-inf"))
    ranked = (
        scene.pairs[places]
        .with_columns(pl.Series("place", places), pl.Series("bad_gates", bad_gates), later=later)
        .sort("bad_gates", "later", "run_id", "capture_id", "repetition", descending=[True, True, False, False, False])
        .head(_MOST)
    )
    return tuple(_worst(row, spoilt, gates) for row in ranked.iter_rows(named=True))


def _most_often(spoilt: Iterable[BoolArray], pairs: int) -> tuple[IntArray, NDArray[np.uint8]]:
    """Places of the pairs that the most gates call worse, at least as many as are shown, and how many gates do."""
    bad_gates = np.zeros(pairs, dtype=np.uint8)
    for worse in spoilt:
        bad_gates += worse
    having = np.cumsum(np.bincount(bad_gates, minlength=1)[:0:-1])  # so many or more gates, from the most down to one
    least = max(1, having.size - int(np.searchsorted(having, _MOST)))
    places = np.flatnonzero(bad_gates >= least)
    return places, bad_gates[places]


def _worst(row: Mapping[str, Any], spoilt: Mapping[str, BoolArray], gates: Mapping[str, Gate]) -> WorstPair:
    names = tuple(name for name, worse in spoilt.items() if worse[row["place"]])
    return WorstPair(
        run_id=row["run_id"],
        capture_id=row["capture_id"],
        repetition=row["repetition"],
        gates=names,
        reasons=tuple(f"{name}: {_why(gates[name], row)}" for name in names),
    )


def _why(gate: Gate, row: Mapping[str, Any]) -> str:
    """What the candidate did in this pair, beside control."""
    if row["candidate_outcome"] != OK:
        return f"{row['candidate_outcome']} (control {row['control_outcome']})"
    match gate:
        case PairedBinary():
            return str(row["candidate_outcome"])
        case PairedTail():
            return _figures(gate.feature, row)
        case PairedExceed() | PairedBand() | PairedAny():
            return _figure_of(gate.conditions, row)
    raise TypeError(f"{type(gate).__name__} marks no pair")


def _figure_of(conditions: tuple[Condition, ...], row: Mapping[str, Any]) -> str:
    if row["candidate_audio_outcome"] not in (OK, None):
        return str(row["candidate_audio_outcome"])
    return ", ".join(dict.fromkeys(_figures(condition.feature, row) for condition in conditions))


def _figures(feature: str, row: Mapping[str, Any]) -> str:
    ours, theirs = (row[f"{side}_{feature}"] for side in ("candidate", "control"))
    return f"{feature} {_short(ours)} (control {_short(theirs)})"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"
