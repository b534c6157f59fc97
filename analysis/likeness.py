"""How alike two renditions of the same text are: a row of table `pair_features`, whatever the bytes are.

The same for control and candidate as for control and its repeat, so that one can be held against the other. Before
sounds are compared the silence around them is cut off and their speech brought to one level; loudness and duration
are compared as delivered. What the columns mean is written beside them in harness/store/schema.py; `more` holds the
reason, in one sentence, why a pair cannot be compared.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analysis.alignment import align
from analysis.audio import Audio, FloatArray, decode
from analysis.levels import find_loudness
from analysis.melody import compare_melodies
from analysis.pitch import Pitch, find_pitch
from analysis.silence import BLOCK_S, Activity, find_activity
from analysis.spectrum import RATE_HZ, Spectrum
from analysis.treble import find_treble
from analysis.warping import longest_skip_s, worst_distance
from harness.errors import ErrorKind, UndecodableAudio
from harness.exchanges import OK

__all__ = ["COLUMNS", "MEASURED", "compare", "incomparable", "likeness_of"]

Row = dict[str, Any]

MEASURED: Final = (
    "duration_ratio",
    "speaking_rate_ratio",
    "loudness_difference_lu",
    "mfcc_dtw_distance",
    "f0_shift_semitones",
    "f0_contour_semitones",
    "spectral_difference_db",
    "longest_skip_s",
    "mfcc_dtw_worst",
    "melody_ratio",
    "treble_difference_db",
)
COLUMNS: Final = ("outcome", "identical", *MEASURED, "more")
_MATCHED_DB: Final = -20.0  # dBFS, of the speech; any would do, this one is usual
_MIN_SPEECH_S: Final = 0.1  # as for features


def compare(control: bytes, other: bytes) -> Row:
    """The likeness of the audio in two files.

    A pair of which one side does not decode or holds no speech gets the outcome that says so.
    """
    try:
        sides = [_decoded(name, data) for name, data in (("control", control), ("the other", other))]
    except UndecodableAudio as error:
        return incomparable(error.kind, str(error))
    return likeness_of(*sides)


def _decoded(name: str, data: bytes) -> Audio:
    try:
        return decode(data)
    except UndecodableAudio as error:
        raise UndecodableAudio(f"{name}: {error}", error.kind) from None


def incomparable(kind: ErrorKind, reason: str) -> Row:
    """The row of a pair that cannot be compared."""
    return {**dict.fromkeys(COLUMNS), "outcome": kind.value, "more": {"reason": reason}}


def likeness_of(control: Audio, other: Audio) -> Row:
    """The likeness of two decoded sounds."""
    sides = _Side(control), _Side(other)
    for name, side in zip(("control", "the other"), sides, strict=True):
        if side.activity.active_s < _MIN_SPEECH_S:
            return incomparable(ErrorKind.EMPTY_AUDIO, f"{name}: the audio holds no speech")
    ours, theirs = sides
    alignment = align(ours.spectrum.mfcc(), theirs.spectrum.mfcc())
    melodies = compare_melodies(ours.pitch, theirs.pitch, alignment)
    return {
        "outcome": OK,
        "identical": control.pcm_sha256() == other.pcm_sha256(),
        "duration_ratio": other.duration_s / control.duration_s,
        # Of the same text: the one that takes longer speaks more slowly.
        "speaking_rate_ratio": ours.activity.active_s / theirs.activity.active_s,
        "loudness_difference_lu": _difference(ours.loudness_lufs, theirs.loudness_lufs),
        "mfcc_dtw_distance": alignment.distance,
        "f0_shift_semitones": _shift(ours.pitch.median_hz, theirs.pitch.median_hz),
        "f0_contour_semitones": melodies.distance_semitones if melodies else None,
        "spectral_difference_db": _root_mean_square(theirs.colour_db - ours.colour_db),
        "longest_skip_s": longest_skip_s(alignment),
        "mfcc_dtw_worst": worst_distance(alignment),
        "melody_ratio": melodies.range_ratio if melodies else None,
        "treble_difference_db": _root_mean_square(theirs.treble_db - ours.treble_db),
        "more": {"steps": len(alignment.control)},
    }


@dataclass(frozen=True)
class _Side:
    """One sound of the pair, and what is asked of it."""

    audio: Audio

    @cached_property
    def _y(self) -> FloatArray:
        return self.audio.mono_at(RATE_HZ)

    @cached_property
    def activity(self) -> Activity:
        return find_activity(self._y, rate_hz=RATE_HZ)

    @cached_property
    def loudness_lufs(self) -> float | None:
        return find_loudness(self.audio.mono(), self.audio.rate_hz).integrated_lufs

    @cached_property
    def spectrum(self) -> Spectrum:
        """Of the sound from its first to its last speech, at the common level."""
        active = np.flatnonzero(self.activity.mask)
        block = round(BLOCK_S * RATE_HZ)
        trimmed = self._y[active[0] * block : (active[-1] + 1) * block]
        level_db = self.activity.speech_level_db or _MATCHED_DB
        return Spectrum(trimmed * np.float32(10 ** ((_MATCHED_DB - level_db) / 20)))

    @cached_property
    def pitch(self) -> Pitch:
        return find_pitch(self.spectrum)

    @property
    def treble_db(self) -> npt.NDArray[np.float64]:
        """Power in bands over 8 kHz, dB by that of the whole sound as delivered."""
        return find_treble(self.audio.mono(), rate_hz=self.audio.rate_hz)

    @property
    def colour_db(self) -> npt.NDArray[np.float64]:
        """Mean power in each mel band, dB about the mean of all bands."""
        bands_db = 10.0 * np.log10(np.mean(10.0 ** (self.spectrum.mel_db() / 10.0), axis=1, dtype=np.float64))
        colour: npt.NDArray[np.float64] = bands_db - bands_db.mean()
        return colour


def _root_mean_square(decibels: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(decibels))))


def _difference(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else theirs - ours


def _shift(ours_hz: float | None, theirs_hz: float | None) -> float | None:
    """How much higher the other's voice lies; None when either is unvoiced."""
    return None if ours_hz is None or theirs_hz is None else float(12.0 * np.log2(theirs_hz / ours_hz))
