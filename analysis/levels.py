"""How loud a sound is: peak, clipping, mean level, loudness and its range.

Peak and clipping are of every channel as delivered; the rest is of the mono mix, since that is what is compared.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyloudnorm
import soxr

from analysis.audio import Audio, FloatArray

__all__ = ["Levels", "Loudness", "find_levels", "find_loudness"]

_CLIPPED: Final = 0.999  # of full scale: 16-bit clipping lands on 0.99997, and a codec rounds it down a little
_LOUDNESS_BLOCK_S: Final = 0.4  # BS.1770 gates in blocks of this length; shorter sound has no loudness
# EBU Tech 3342: short-term loudness over 3 s, gated at -70 LUFS and 20 LU under its mean, 10th to 95th percentile.
_SHORT_TERM_S: Final = 3.0
_GATE_LUFS: Final = -70.0
_RELATIVE_GATE_LU: Final = -20.0
_RANGE_PERCENTILES: Final = (10, 95)
_TRUE_PEAK_RATE_HZ: Final = 96_000  # BS.1770-4, annex 2: four times 24 kHz
_CHUNK_FRAMES: Final = 1 << 18
_CONTEXT_FRAMES: Final = 64  # what soxr looks at before and after, rounded up


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Levels of one sound; None where digital silence has none."""

    peak_db: float | None  # highest sample, dB full scale
    true_peak_db: float | None  # highest point of the curve between samples, dB full scale
    clipped_share: float
    rms_db: float | None  # dB full scale, silence included
    dc_offset: float  # mean sample, 1 is full scale
    loudness_lufs: float | None  # integrated, ITU-R BS.1770-4; None too for sound under 0.4 s
    loudness_range_lu: float | None  # EBU Tech 3342; None too for sound under 3 s


def find_levels(audio: Audio) -> Levels:
    """Levels of `audio`."""
    magnitude = np.abs(audio.samples)
    mono = audio.mono()
    loudness_lufs, loudness_range_lu = find_loudness(mono, audio.rate_hz)
    return Levels(
        peak_db=_db(float(magnitude.max())),
        true_peak_db=_db(_true_peak(audio)),
        clipped_share=float(np.count_nonzero(magnitude >= _CLIPPED)) / magnitude.size,
        rms_db=_db(float(np.sqrt(np.mean(np.square(mono), dtype=np.float64)))),
        dc_offset=float(mono.mean(dtype=np.float64)),
        loudness_lufs=loudness_lufs,
        loudness_range_lu=loudness_range_lu,
    )


def _db(amplitude: float) -> float | None:
    return float(20.0 * np.log10(amplitude)) if amplitude > 0 else None


@lru_cache(maxsize=16)
def _meter(rate_hz: int) -> pyloudnorm.Meter:
    return pyloudnorm.Meter(rate_hz, block_size=_LOUDNESS_BLOCK_S)


class Loudness(NamedTuple):
    """Loudness of one sound; None as in `Levels`."""

    integrated_lufs: float | None
    range_lu: float | None


def find_loudness(mono: FloatArray, rate_hz: int) -> Loudness:
    """Loudness of a mono sound and how far it ranges."""
    if len(mono) < _LOUDNESS_BLOCK_S * rate_hz:
        return Loudness(None, None)
    meter = _meter(rate_hz)
    loudness = float(meter.integrated_loudness(mono))
    return Loudness(
        integrated_lufs=loudness if np.isfinite(loudness) else None,  # -inf: every block is under the gate
        range_lu=_range_lu(np.asarray(meter.blockwise_loudness)),
    )


def _range_lu(blocks_lufs: npt.NDArray[np.float64]) -> float | None:
    """Loudness range from the blocks of the integrated loudness, 0.4 s each 0.1 s, instead of filtering once more.

    The mean power of the blocks that lie in 3 s is the short-term loudness but for its soft edges.
    """
    count = round((_SHORT_TERM_S - _LOUDNESS_BLOCK_S) / (_LOUDNESS_BLOCK_S / 4)) + 1
    if len(blocks_lufs) < count:
        return None
    totals = np.concatenate(([0.0], np.cumsum(10.0 ** (blocks_lufs / 10.0))))
    power = (totals[count:] - totals[:-count]) / count
    heard = power[power > 10.0 ** (_GATE_LUFS / 10.0)]
    if not len(heard):
        return None
    heard = heard[heard >= heard.mean() * 10.0 ** (_RELATIVE_GATE_LU / 10.0)]
    low, high = np.percentile(10.0 * np.log10(heard), _RANGE_PERCENTILES)
    return float(high - low)


def _true_peak(audio: Audio) -> float:
    """Highest magnitude after oversampling, chunk by chunk: ten minutes at once would take a gigabyte."""
    factor = max(1, round(_TRUE_PEAK_RATE_HZ / audio.rate_hz))
    highest = float(np.abs(audio.samples).max())
    for start in range(0, len(audio.samples), _CHUNK_FRAMES):
        chunk = audio.samples[max(0, start - _CONTEXT_FRAMES) : start + _CHUNK_FRAMES + _CONTEXT_FRAMES]
        highest = max(highest, float(np.abs(soxr.resample(chunk, 1, factor, quality="MQ")).max()))
    return highest
