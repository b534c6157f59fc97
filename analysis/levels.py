"""How loud a sound is: peak, clipping, mean level, loudness.

Peak and clipping are of every channel as delivered; the rest is of the mono mix, since that is what is compared.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyloudnorm

from analysis.audio import Audio, FloatArray

__all__ = ["Levels", "find_levels"]

_CLIPPED: Final = 0.999  # of full scale: 16-bit clipping lands on 0.99997, and a codec rounds it down a little
_LOUDNESS_BLOCK_S: Final = 0.4  # BS.1770 gates in blocks of this length; shorter sound has no loudness


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Levels of one sound; None where digital silence has none."""

    peak_db: float | None  # highest sample, dB full scale
    clipped_share: float
    rms_db: float | None  # dB full scale, silence included
    dc_offset: float  # mean sample, 1 is full scale
    loudness_lufs: float | None  # integrated, ITU-R BS.1770-4; None too for sound under 0.4 s


def find_levels(audio: Audio) -> Levels:
    """Levels of `audio`."""
    magnitude = np.abs(audio.samples)
    mono = audio.mono()
    return Levels(
        peak_db=_db(float(magnitude.max())),
        clipped_share=float(np.count_nonzero(magnitude >= _CLIPPED)) / magnitude.size,
        rms_db=_db(float(np.sqrt(np.mean(np.square(mono), dtype=np.float64)))),
        dc_offset=float(mono.mean(dtype=np.float64)),
        loudness_lufs=_loudness_lufs(mono, audio.rate_hz),
    )


def _db(amplitude: float) -> float | None:
    return float(20.0 * np.log10(amplitude)) if amplitude > 0 else None


@lru_cache(maxsize=16)
def _meter(rate_hz: int) -> pyloudnorm.Meter:
    return pyloudnorm.Meter(rate_hz, block_size=_LOUDNESS_BLOCK_S)


def _loudness_lufs(mono: FloatArray, rate_hz: int) -> float | None:
    if len(mono) < _LOUDNESS_BLOCK_S * rate_hz:
        return None
    loudness = float(_meter(rate_hz).integrated_loudness(mono))
    return loudness if np.isfinite(loudness) else None  # -inf: every block is under the gate of -70 LUFS
