"""The spectrum of a sound, taken once and shared by everything that asks about it.

The definitions are librosa's (`librosa.feature`), computed for speech frames only and in fewer passes.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

# From where they are defined: `import librosa` loads nothing until it is used, and every worker would pay for it.
from librosa.core.spectrum import stft
from librosa.filters import mel

from analysis.audio import FloatArray

__all__ = ["HOP", "N_FFT", "RATE_HZ", "Spectrum", "Timbre"]

RATE_HZ: Final = 16_000  # what speech models and telephony agree on; the band above 8 kHz is not looked at
N_FFT: Final = 1_024  # 64 ms: four periods of the lowest voice
HOP: Final = 256  # 16 ms
N_MELS: Final = 64
N_MFCC: Final = 13
_ROLLOFF: Final = 0.85
_POWER_FLOOR: Final = 1e-10  # librosa's own, for flatness and decibels
_TOP_DB: Final = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timbre:
    """How the sound is coloured: means over frames."""

    centroid_hz: float
    rolloff_hz: float  # below it lie 85 % of the magnitude
    bandwidth_hz: float
    flatness: float  # 0 a tone, 1 white noise
    energy_95_hz: float  # below it lie 95 % of the power of all frames together
    energy_99_hz: float
    mfcc: tuple[float, ...]  # means of N_MFCC coefficients
    mfcc_std: tuple[float, ...]  # their standard deviations over frames


@cache
def _frequencies_hz() -> FloatArray:
    return np.linspace(0, RATE_HZ / 2, N_FFT // 2 + 1, dtype=np.float32)


@cache
def _mel_filters() -> FloatArray:
    filters: FloatArray = mel(sr=RATE_HZ, n_fft=N_FFT, n_mels=N_MELS)
    return filters


@cache
def _cosines() -> FloatArray:
    """The first rows of the orthonormal cosine transform: cheaper than a whole transform of every frame."""
    rows: FloatArray = scipy.fft.dct(np.eye(N_MELS), type=2, norm="ortho", axis=0)[:N_MFCC].astype(np.float32)
    return rows


def _floats(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


class Spectrum:
    """Magnitudes of a sound at `RATE_HZ` over frequency and time."""

    def __init__(self, y: FloatArray) -> None:
        """Transform mono samples at `RATE_HZ`, shape (n,); less than one window is filled up with silence."""
        filled = np.pad(y, (0, max(0, N_FFT - len(y))))
        self.magnitude: FloatArray = np.abs(stft(filled, n_fft=N_FFT, hop_length=HOP))  # (513, frames)
        self._mel_db: FloatArray | None = None

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """The middle of each frame."""
        return np.arange(self.magnitude.shape[1], dtype=np.float64) * (HOP / RATE_HZ)

    def of(self, frames: npt.NDArray[np.bool_]) -> "Spectrum":
        """Only some frames."""
        part = object.__new__(Spectrum)
        part.magnitude = self.magnitude[:, frames]
        part._mel_db = None if self._mel_db is None else self._mel_db[:, frames]
        return part

    def mel_db(self) -> FloatArray:
        """Power in mel bands, dB, at most 80 below the strongest of the whole sound; shape (N_MELS, frames)."""
        if self._mel_db is None:
            power_db = 10.0 * np.log10(np.maximum(_mel_filters() @ np.square(self.magnitude), _POWER_FLOOR))
            self._mel_db = np.maximum(power_db, power_db.max() - _TOP_DB)
        return self._mel_db

    def mfcc(self) -> FloatArray:
        """Mel-frequency cepstral coefficients of each frame; shape (N_MFCC, frames)."""
        coefficients: FloatArray = _cosines() @ self.mel_db()
        return coefficients

    def timbre(self) -> Timbre:
        """Colour of the sound, over all its frames (at least one)."""
        total, centroid_hz, bandwidth_hz = self._moments()
        sounding = total > 0
        energy_95_hz, energy_99_hz = self._energy_hz(0.95, 0.99)
        mfcc = self.mfcc()
        return Timbre(
            centroid_hz=float(centroid_hz[sounding].mean()),
            rolloff_hz=float(self._rolloff_hz(total)[sounding].mean()),
            bandwidth_hz=float(bandwidth_hz[sounding].mean()),
            flatness=float(self._flatness().mean()),
            energy_95_hz=energy_95_hz,
            energy_99_hz=energy_99_hz,
            mfcc=_floats(mfcc.mean(axis=1, dtype=np.float64)),
            mfcc_std=_floats(mfcc.std(axis=1, dtype=np.float64)),
        )

    def _moments(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Sum, mean frequency and spread of each frame's magnitudes, by one matrix product.

        Frequencies are counted in units of the highest, so that squares keep their digits in float32.
        """
        unit = np.linspace(0, 1, N_FFT // 2 + 1, dtype=np.float32)
        total, first, second = np.stack([np.ones_like(unit), unit, unit**2]) @ self.magnitude
        safe = np.maximum(total, np.finfo(np.float32).tiny)
        mean = first / safe
        spread = np.sqrt(np.maximum(second / safe - mean**2, 0.0))
        highest_hz = RATE_HZ / 2
        return total, mean * highest_hz, spread * highest_hz

    def _rolloff_hz(self, total: FloatArray) -> FloatArray:
        reached = np.cumsum(self.magnitude, axis=0) >= _ROLLOFF * total
        hz: FloatArray = _frequencies_hz()[np.argmax(reached, axis=0)]
        return hz

    def _energy_hz(self, *shares: float) -> list[float]:
        """Frequencies below which these shares of the power lie, between bins by straight lines."""
        power = np.einsum("ij,ij->i", self.magnitude, self.magnitude, dtype=np.float64)
        reached = np.cumsum(power)
        edges_hz = _frequencies_hz() + RATE_HZ / N_FFT / 2
        return [float(min(np.interp(share * reached[-1], reached, edges_hz), RATE_HZ / 2)) for share in shares]

    def _flatness(self) -> FloatArray:
        power = np.maximum(np.square(self.magnitude), _POWER_FLOOR)
        flatness: FloatArray = np.exp(np.log(power).mean(axis=0)) / power.mean(axis=0)
        return flatness
