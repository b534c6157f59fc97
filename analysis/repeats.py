"""Whether a sound says the same thing twice in a row: loops and stutter of a generating model.

Compares every stretch of speech with every later one by how their mel-cepstra move. A held vowel moves not at all and
repeats nothing; words that the text itself says twice score like a loop, so the score means something against another
rendition of the same text.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.audio import FloatArray
from analysis.spectrum import HOP, RATE_HZ

__all__ = ["find_repeat"]

_STRETCH: Final = round(0.5 * RATE_HZ / HOP)  # frames: two syllables; single ones occur twice in most sentences
_LEAST_LAG: Final = round(0.2 * RATE_HZ / HOP)  # sooner, a slow sound is still like itself
_MOST_LAG: Final = round(8.0 * RATE_HZ / HOP)  # later, it costs more than it finds
# Stretches whose coefficients move less than this (dB, root mean square over time and coefficients) are no words.
_LEAST_MOVE: Final = 4.0


def find_repeat(mfcc: FloatArray) -> float | None:
    """How alike the two most similar stretches of half a second are: 1 for the same sound, 0 for unrelated ones.

    Args:
        mfcc: Coefficients of the speech frames, shape (N_MFCC, frames); the first, a level, is left out.

    Returns:
        The highest correlation, 0 to 1; None for less than a second of speech, which has no room for a repeat.
    """
    x = np.ascontiguousarray(mfcc[1:], dtype=np.float32)
    stretches = x.shape[1] - _STRETCH + 1
    if stretches <= _STRETCH:
        return None
    means = _sums(x) / _STRETCH
    moves = np.maximum(_sums(np.square(x)).sum(axis=0) - _STRETCH * np.square(means).sum(axis=0), 0.0)
    scale = np.sqrt(np.maximum(moves, _STRETCH * len(x) * _LEAST_MOVE**2))
    best = 0.0
    for lag in range(_LEAST_LAG, min(_MOST_LAG, stretches - 1) + 1):
        products = _sums(np.einsum("ij,ij->j", x[:, lag:], x[:, :-lag]))
        shared = products - _STRETCH * np.einsum("ij,ij->j", means[:, lag:], means[:, :-lag])
        best = max(best, float((shared / (scale[lag:] * scale[:-lag])).max()))
    return min(best, 1.0)


def _sums(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Sums over every stretch, along the last axis."""
    totals = np.cumsum(values, axis=-1, dtype=np.float64)
    totals[..., _STRETCH:] -= totals[..., :-_STRETCH].copy()
    stretches: npt.NDArray[np.float64] = totals[..., _STRETCH - 1 :]
    return stretches
