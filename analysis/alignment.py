"""Which moment of one sound is which moment of another: both say the same text, at paces of their own.

Dynamic time warping over mel-cepstra, librosa's, frame by frame of the spectrum: a stretch of a tenth of a second that
one sound lacks is six frames of the path.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from librosa.sequence import dtw
from scipy.spatial.distance import cdist

from analysis.audio import FloatArray

__all__ = ["Alignment", "align"]

# Cost and memory grow with the square: 1,500 steps are 24 s at full detail, 18 MB and 0.1 s; longer sound is aligned
# in coarser steps.
_MOST_STEPS: Final = 1_500

Frames = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """The cheapest path through both sounds."""

    costs: npt.NDArray[np.float64]  # Euclidean distance between coefficients at each step, dB
    control: Frames  # frame of control at each step
    other: Frames  # frame of the other at each step
    stride: int  # frames from one step to the next

    @property
    def distance(self) -> float:
        """Mean over all steps, dB."""
        return float(self.costs.mean())


def align(control: FloatArray, other: FloatArray) -> Alignment:
    """The alignment of two sounds.

    Args:
        control: Mel-cepstra, shape (N_MFCC, frames), at least one frame; the first coefficient, a level, is left out.
        other: Those of the other sound.
    """
    stride = -(-max(control.shape[1], other.shape[1]) // _MOST_STEPS)
    ours, theirs = (mfcc[1:, ::stride].T.astype(np.float64) for mfcc in (control, other))
    costs = cdist(ours, theirs)
    _, path = dtw(C=costs)
    rows, columns = path[::-1].T
    return Alignment(costs=costs[rows, columns], control=rows * stride, other=columns * stride, stride=stride)
