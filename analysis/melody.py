"""How alike two melodies are: the pitches of two sounds along their alignment, the voices brought to one height."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.alignment import Alignment
from analysis.pitch import Pitch

__all__ = ["Melodies", "compare_melodies"]

_ENOUGH_STEPS: Final = 10  # of the path that are voiced in both
# Melodies that lie further apart at a step are an octave error of either, or another tune: no word on the range.
_ONE_TUNE_SEMITONES: Final = 4.0
_LEAST_RANGE_SEMITONES: Final = 0.05  # a machine's drone: what is added to both, so that their ratio stays a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Melodies:
    """Two melodies against each other."""

    distance_semitones: float  # mean over the steps of the path that are voiced in both
    range_ratio: float | None  # mean excursion of the other by control's; None where they hardly go together


def compare_melodies(control: Pitch, other: Pitch, alignment: Alignment) -> Melodies | None:
    """The melodies along the alignment; None with too little that is voiced in both."""
    ours, theirs = (
        12.0 * np.log2(pitch.f0_hz[frames])
        for pitch, frames in ((control, alignment.control), (other, alignment.other))
    )
    both = np.isfinite(ours) & np.isfinite(theirs)
    if both.sum() < _ENOUGH_STEPS:
        return None
    apart = theirs[both] - ours[both]
    return Melodies(
        distance_semitones=float(np.mean(np.abs(apart - np.median(apart)))),
        range_ratio=_range_ratio(ours[both], theirs[both]),
    )


def _range_ratio(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> float | None:
    one, other = ours - np.median(ours), theirs - np.median(theirs)
    near = np.abs(one - other) < _ONE_TUNE_SEMITONES
    if near.sum() < _ENOUGH_STEPS:
        return None
    ranges = (float(np.abs(side[near]).mean()) + _LEAST_RANGE_SEMITONES for side in (other, one))
    return next(ranges) / next(ranges)
