"""What an alignment tells of the words: stretches that only one of two sounds has, and where they differ the most.

A mean over a whole sentence hides a word that was left out or changed; a moment does not.
"""

from typing import Final

import numpy as np

from analysis.alignment import Alignment
from analysis.spectrum import HOP, RATE_HZ

__all__ = ["longest_skip_s", "worst_distance"]

_FRAME_S: Final = HOP / RATE_HZ
_WINDOW_S: Final = 0.3  # a short word


def longest_skip_s(alignment: Alignment) -> float:
    """How much more of one sound than of the other passes within 0.3 s of their mean time, where that is most.

    A stretch that one of them lacks or says twice shows in full up to 0.6 s, wherever it is; a pace that is 5 % off
    shows with 0.015 s only.
    """
    middle = (alignment.control + alignment.other) / 2.0
    times = np.arange(middle[0], middle[-1] + 0.25, 0.5)  # frames; a step of the path takes half a frame or one
    offsets = np.interp(times, middle, (alignment.control - alignment.other).astype(np.float64))
    window = min(round(2 * _WINDOW_S / _FRAME_S), len(offsets) - 1)
    return float(np.abs(offsets[window:] - offsets[: len(offsets) - window]).max()) * _FRAME_S


def worst_distance(alignment: Alignment) -> float:
    """Mean distance of coefficients over the 0.3 s of the path where the sounds differ most, dB."""
    steps = min(max(1, round(_WINDOW_S / (_FRAME_S * alignment.stride))), len(alignment.costs))
    totals = np.concatenate(([0.0], np.cumsum(alignment.costs)))
    return float((totals[steps:] - totals[:-steps]).max()) / steps
