"""Holes in speech, as lost packets and buffers that ran dry leave them: silence that sets in and ends within moments.

A mouth needs time: before the closure of a consonant the voice dies away over ten milliseconds and more, so that only
silence with loud sound right before it and right after it counts. A hole inside a pause is none, and is not heard.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.audio import FloatArray

__all__ = ["count_dropouts"]

_BLOCK_S: Final = 0.001
_QUIET_DB: Final = -40.0  # under the speech level
_LOUD_DB: Final = -20.0  # under it too, at either edge
_EDGE_BLOCKS: Final = 2  # in which the edges must lie
_LEAST_BLOCKS: Final = 3  # a deep voice leaves as long between two pulses
_MOST_BLOCKS: Final = 50  # longer ones are closures and pauses


def count_dropouts(y: FloatArray, *, rate_hz: int, speech_level_db: float) -> int:
    """How many holes of 3 to 50 ms there are.

    Args:
        y: Mono samples as delivered, shape (n,): resampling would fill the edges of a hole.
        rate_hz: Samples per second.
        speech_level_db: Level of the speech in it, dB full scale.
    """
    peaks_db = _peaks_db(y, max(1, round(rate_hz * _BLOCK_S))) - speech_level_db
    quiet = np.concatenate(([False], peaks_db < _QUIET_DB, [False])).astype(np.int8)
    runs = np.flatnonzero(np.diff(quiet)).reshape(-1, 2)
    lengths = runs[:, 1] - runs[:, 0]
    fitting = runs[(lengths >= _LEAST_BLOCKS) & (lengths <= _MOST_BLOCKS)]
    return sum(_is_cut_out(peaks_db, start, end) for start, end in fitting)


def _peaks_db(y: FloatArray, block: int) -> npt.NDArray[np.float64]:
    whole = len(y) // block
    peaks = np.abs(y[: whole * block]).reshape(whole, block).max(axis=1).astype(np.float64)
    levels: npt.NDArray[np.float64] = 20.0 * np.log10(np.maximum(peaks, 1e-10))
    return levels


def _is_cut_out(peaks_db: npt.NDArray[np.float64], start: int, end: int) -> bool:
    before, after = peaks_db[max(0, start - _EDGE_BLOCKS) : start], peaks_db[end : end + _EDGE_BLOCKS]
    return bool(len(before) and len(after) and min(before.max(), after.max()) >= _LOUD_DB)
