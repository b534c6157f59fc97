"""The colour of a sound between 8 and 12 kHz, which the spectrum that everything else shares does not reach.

Hisses live there, and what a codec or a resampler cuts off first. Only the mean matters, so frames do not overlap.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from analysis.audio import FloatArray

__all__ = ["find_treble"]

_BANDS_HZ: Final = tuple((low, low + 500) for low in range(8_000, 12_000, 500))
_FRAME_S: Final = 0.04  # bins of 25 Hz, at any usual rate
_FLOOR_DB: Final = -70.0  # under all of the sound: fainter hiss is the room's, or nobody hears it

Bands = npt.NDArray[np.float64]


def find_treble(y: FloatArray, *, rate_hz: int) -> Bands:
    """Power in bands of 500 Hz by that of the whole sound, dB, at least -70; shape (8,).

    What a sample rate does not reach is silent there.

    Args:
        y: Mono samples as delivered, shape (n,); less than a frame is filled up with silence.
        rate_hz: Samples per second.
    """
    size = round(rate_hz * _FRAME_S)
    filled = np.pad(y, (0, max(0, size - len(y))))
    frames = filled[: len(filled) // size * size].reshape(-1, size) * np.hanning(size).astype(np.float32)
    power = np.square(np.abs(scipy.fft.rfft(frames, axis=1))).mean(axis=0, dtype=np.float64)
    # Without their lower edges: at 16 kHz the highest frequency there is belongs to no band.
    shares = [power[round(low * _FRAME_S) + 1 : round(high * _FRAME_S) + 1].sum() for low, high in _BANDS_HZ]
    bands: Bands = 10.0 * np.log10(np.maximum(np.array(shares) / max(power.sum(), 1e-20), 10 ** (_FLOOR_DB / 10)))
    return bands
