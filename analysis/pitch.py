"""The pitch of a voice, by autocorrelation of spectra that were taken anyway.

No model and no path search: each frame's pitch is its strongest period, looked for first anywhere in the range of
voices, then again near where this voice was found to lie, which removes most octave errors (the two passes are those of
De Looze and Hirst, 2008). Good for the median and spread of a clip, not for single frames.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from analysis.audio import FloatArray
from analysis.spectrum import N_FFT, RATE_HZ, Spectrum

__all__ = ["Pitch", "find_pitch"]

_LOWEST_HZ: Final = 60.0
_HIGHEST_HZ: Final = 600.0
_BAND_HZ: Final = 2_000.0  # harmonics above it blur the period more than they sharpen it
_VOICED: Final = 0.5  # of a perfect period's strength; Praat's default is 0.45
# Twice a period is a period too: of equals the shorter wins (Praat's octave cost is 0.01 an octave).
_OCTAVE_COST: Final = 0.03
_ENOUGH_FRAMES: Final = 10  # for quartiles that mean something: 0.16 s
_SPAN: Final = 2.0  # the second look goes an octave down and up from the first look's median


@dataclass(frozen=True, slots=True, kw_only=True)
class Pitch:
    """What was found."""

    f0_hz: npt.NDArray[np.float64]  # one a frame, nan where unvoiced

    @property
    def voiced_share(self) -> float:
        """Voiced frames by all frames."""
        return float(np.isfinite(self.f0_hz).mean()) if len(self.f0_hz) else 0.0

    @property
    def median_hz(self) -> float | None:
        """The middle pitch; None when nothing is voiced."""
        voiced = self.f0_hz[np.isfinite(self.f0_hz)]
        return float(np.median(voiced)) if len(voiced) else None

    @property
    def iqr_semitones(self) -> float | None:
        """How far the middle half of the frames is spread; None with too few voiced frames."""
        voiced = self.f0_hz[np.isfinite(self.f0_hz)]
        if len(voiced) < _ENOUGH_FRAMES:
            return None
        low, high = np.percentile(voiced, [25, 75])
        return float(12.0 * np.log2(high / low))


def find_pitch(spectrum: Spectrum) -> Pitch:
    """Pitch of each frame of `spectrum`."""
    strengths = _autocorrelation(spectrum.magnitude)
    f0_hz = _strongest(strengths, _LOWEST_HZ, _HIGHEST_HZ)
    voiced = f0_hz[np.isfinite(f0_hz)]
    if len(voiced) >= _ENOUGH_FRAMES:
        middle_hz = float(np.median(voiced))
        f0_hz = _strongest(strengths, max(_LOWEST_HZ, middle_hz / _SPAN), min(_HIGHEST_HZ, middle_hz * _SPAN))
    return Pitch(f0_hz=f0_hz)


@cache
def _window_autocorrelation() -> FloatArray:
    """How much a perfect period loses to the window (a periodic Hann, as librosa's) at each lag."""
    window = np.hanning(N_FFT + 1)[:-1]
    power = np.abs(scipy.fft.rfft(window)) ** 2
    decay = scipy.fft.irfft(power)
    normal: FloatArray = (decay / decay[0]).astype(np.float32)
    return normal


def _autocorrelation(magnitude: FloatArray) -> FloatArray:
    """Strength of each lag, 1 for a perfect period; shape (frames, lags up to the lowest voice and one more)."""
    bins = int(_BAND_HZ / RATE_HZ * N_FFT)
    power = np.zeros((magnitude.shape[1], N_FFT // 2 + 1), dtype=np.float32)
    np.square(magnitude[1:bins].T, out=power[:, 1:bins])
    lags = int(RATE_HZ / _LOWEST_HZ) + 3
    strengths = scipy.fft.irfft(power, axis=1)[:, :lags]
    scale = np.maximum(strengths[:, :1], np.finfo(np.float32).tiny) * _window_autocorrelation()[:lags]
    normal: FloatArray = strengths / scale
    return normal


def _strongest(strengths: FloatArray, low_hz: float, high_hz: float) -> npt.NDArray[np.float64]:
    """Pitch of each frame within a range; nan where no period is strong enough."""
    first, last = int(RATE_HZ / high_hz), min(int(RATE_HZ / low_hz) + 1, strengths.shape[1] - 2)
    lags = np.arange(first, last + 1)
    costs = (_OCTAVE_COST * np.log2(lags / first)).astype(np.float32)
    best = np.argmax(strengths[:, first : last + 1] - costs, axis=1) + first
    rows = np.arange(len(strengths))
    before, peak, after = (strengths[rows, best + shift].astype(np.float64) for shift in (-1, 0, 1))
    bend = before - 2.0 * peak + after
    is_peak = (bend < 0) & (peak >= before) & (peak >= after)  # else the range ends on a slope: no period of its own
    shift = np.where(is_peak, 0.5 * (before - after) / np.where(is_peak, bend, 1.0), 0.0)
    return np.where(is_peak & (peak >= _VOICED), RATE_HZ / (best + shift), np.nan)
