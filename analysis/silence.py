"""Where speech is and where silence is, by energy relative to the clip's own speech level.

Nothing here knows words from noise: a hum as loud as speech counts as speech. Gain changes nothing as long as the
noise floor stays over digital silence; silence put before or after adds to the ends and changes nothing else.

    block        10 ms of sound and its level, an offset left out
    speech level 95th percentile of the blocks within 40 dB of the loudest
    noise floor  10th percentile of the blocks, where the quietest of them are so much alike that they are a room; none
                 where pauses are digital silence: a room would be heard in them
    threshold    40 dB under the speech level, but 6 dB over the noise floor, and at least 20 dB under the speech level
    speech       blocks over the threshold; a lone burst of up to 20 ms is a click, a gap of up to 100 ms a consonant
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.audio import FloatArray

__all__ = ["BLOCK_S", "Activity", "find_activity"]

BLOCK_S: Final = 0.01
_DIGITAL_SILENCE_DB: Final = -90.0  # half a step of 16-bit samples
_QUIETEST_SPEECH_DB: Final = -60.0  # speech this quiet is not heard: 35 dB under the usual loudness
_RANGE_DB: Final = 40.0  # the weakest consonants lie 30 to 40 dB under the vowels
_OVER_FLOOR_DB: Final = 6.0
# From the 1st to the 5th percentile: 1 to 5 dB in ten recordings of rooms (LibriVox and a telephone), 7 to 27 in
# twelve of espeak, whose pauses are digital silence.
_STEADY_DB: Final = 6.0
_DIGITAL_PAUSES: Final = 0.02  # share of blocks: a decoder's single empty frame is no pause
_LEAST_RANGE_DB: Final = 20.0  # where there is no pause, the floor itself is speech
_CLICK_BLOCKS: Final = 2
_CLOSURE_BLOCKS: Final = 10

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Which blocks of one sound are speech."""

    mask: Mask  # one a block of BLOCK_S, shape (blocks,)
    levels_db: npt.NDArray[np.float64]  # of each block, dB full scale
    duration_s: float  # the last block may be short
    speech_level_db: float | None  # dB full scale; None without speech
    noise_floor_db: float | None  # dB full scale; None where no steady sound lies under the speech

    @property
    def has_speech(self) -> bool:
        """Whether anything in it was loud enough."""
        return bool(self.mask.any())

    @property
    def active_s(self) -> float:
        """Length of the parts that are speech."""
        return min(float(self.mask.sum()) * BLOCK_S, self.duration_s)

    @property
    def leading_s(self) -> float | None:
        """Silence before the first speech; None without speech."""
        return float(np.argmax(self.mask)) * BLOCK_S if self.has_speech else None

    @property
    def trailing_s(self) -> float | None:
        """Silence after the last speech; None without speech."""
        if not self.has_speech:
            return None
        end_s = (len(self.mask) - float(np.argmax(self.mask[::-1]))) * BLOCK_S
        return max(0.0, self.duration_s - end_s)

    @property
    def longest_pause_s(self) -> float | None:
        """The longest silence between two parts of speech, 0 when there is none; None without speech."""
        if not self.has_speech:
            return None
        inner = [run for run in _runs(self.mask, value=False) if run[0] > 0 and run[1] < len(self.mask)]
        return float(max((end - start for start, end in inner), default=0)) * BLOCK_S

    def at(self, times_s: npt.NDArray[np.float64]) -> Mask:
        """Whether each moment is speech; moments past the end belong to the last block."""
        blocks = np.minimum((times_s / BLOCK_S).astype(np.intp), len(self.mask) - 1)
        return self.mask[blocks]


def find_activity(y: FloatArray, *, rate_hz: int) -> Activity:
    """Speech and silence of a sound.

    Args:
        y: Mono samples, shape (n,), at least one.
        rate_hz: Samples per second; a multiple of 100, so that blocks are whole.
    """
    levels_db = _levels_db(y, round(rate_hz * BLOCK_S))
    floor_db = _floor_db(levels_db)
    speech_db = float(np.percentile(levels_db[levels_db >= levels_db.max() - _RANGE_DB], 95))
    duration_s = len(y) / rate_hz
    if speech_db < _QUIETEST_SPEECH_DB:
        nothing = np.zeros(len(levels_db), dtype=np.bool_)
        return Activity(
            mask=nothing, levels_db=levels_db, duration_s=duration_s, speech_level_db=None, noise_floor_db=floor_db
        )
    mask = levels_db > _threshold_db(speech_db, floor_db)
    _fill_short(mask, value=True, longest=_CLICK_BLOCKS)
    _fill_short(mask, value=False, longest=_CLOSURE_BLOCKS)
    return Activity(
        mask=mask, levels_db=levels_db, duration_s=duration_s, speech_level_db=speech_db, noise_floor_db=floor_db
    )


def _floor_db(levels_db: npt.NDArray[np.float64]) -> float | None:
    """Level of the room that is heard in the pauses; None when there is none, as in most synthetic speech."""
    sounding = np.flatnonzero(levels_db > _DIGITAL_SILENCE_DB)
    if not len(sounding):
        return None
    within_db = levels_db[sounding[0] : sounding[-1] + 1]  # silence put before or after tells nothing of the room
    if len(sounding) < (1.0 - _DIGITAL_PAUSES) * len(within_db):
        return None
    quietest_db, quiet_db, floor_db = np.percentile(levels_db[sounding], [1, 5, 10])
    return float(floor_db) if quiet_db - quietest_db <= _STEADY_DB else None


def _threshold_db(speech_db: float, floor_db: float | None) -> float:
    threshold_db = speech_db - _RANGE_DB
    if floor_db is None:
        return threshold_db
    return min(max(threshold_db, floor_db + _OVER_FLOOR_DB), speech_db - _LEAST_RANGE_DB)


def _levels_db(y: FloatArray, block: int) -> npt.NDArray[np.float64]:
    """Level of each block about its own mean, in dB full scale; the last, when short, by the samples it has.

    About the mean, because a constant offset is no sound: recordings with one would have no silence.
    """
    whole = len(y) // block
    blocks, rest = y[: whole * block].reshape(whole, block), y[whole * block :]
    power = np.einsum("ij,ij->i", blocks, blocks, dtype=np.float64) / block
    power -= np.square(blocks.mean(axis=1, dtype=np.float64))
    if len(rest):
        power = np.append(power, np.var(rest, dtype=np.float64))
    levels: npt.NDArray[np.float64] = 10.0 * np.log10(np.maximum(power, 1e-20))
    return levels


def _runs(mask: Mask, *, value: bool) -> list[tuple[int, int]]:
    """Start and end of every stretch of `value`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask == value, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _fill_short(mask: Mask, *, value: bool, longest: int) -> None:
    """Turn over stretches of `value` up to `longest` blocks; silence at either end stays silence."""
    for start, end in _runs(mask, value=value):
        at_an_end = start == 0 or end == len(mask)
        if end - start <= longest and (value or not at_an_end):
            mask[start:end] = not value
