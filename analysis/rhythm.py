"""How speech moves along: its syllables, counted by peaks of energy, and how strongly new sounds set in.

No words are known here. Syllables are counted as De Jong and Wempe (2009) do: peaks of intensity with a dip before the
next one, in the band where vowels are loud; their count is within a tenth of the true one for most clear speech.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.signal

from analysis.spectrum import HOP, N_FFT, RATE_HZ, Spectrum

__all__ = ["Rhythm", "find_rhythm"]

_VOWELS_HZ: Final = (300.0, 2_500.0)  # from above a hum to below hisses
_DIP_DB: Final = 2.0  # De Jong and Wempe's: between two syllables the level falls by as much
_BELOW_TOP_DB: Final = 25.0  # theirs too: quieter peaks are no syllables
_FLOOR_DB: Final = -100.0
_LEAST_APART_S: Final = 0.08  # twelve syllables a second: faster than anybody speaks


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How one sound moves along."""

    syllables: int
    flux_db: float  # mean rise of a mel band from one frame to the next: librosa's onset strength


def find_rhythm(spectrum: Spectrum) -> Rhythm:
    """Rhythm of a whole sound, its pauses included."""
    level_db = _vowel_level_db(spectrum)
    peaks, _ = scipy.signal.find_peaks(
        np.concatenate(([_FLOOR_DB], level_db, [_FLOOR_DB])),  # a sound may begin or end on a vowel
        height=float(np.percentile(level_db, 99)) - _BELOW_TOP_DB,
        prominence=_DIP_DB,
        distance=_LEAST_APART_S * RATE_HZ / HOP,
    )
    rises = np.maximum(np.diff(spectrum.mel_db(), axis=1), 0.0)
    return Rhythm(syllables=len(peaks), flux_db=float(rises.mean()) if rises.size else 0.0)


def _vowel_level_db(spectrum: Spectrum) -> npt.NDArray[np.float64]:
    low, high = (round(hz / RATE_HZ * N_FFT) for hz in _VOWELS_HZ)
    band = spectrum.magnitude[low:high]
    power = np.einsum("ij,ij->j", band, band, dtype=np.float64)
    level_db: npt.NDArray[np.float64] = 10.0 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10)))
    return level_db
