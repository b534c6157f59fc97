"""How the level of a sound moves: how far it stands over its noise, how far it swings, how abruptly it ends.

Works on the blocks that `silence` cut, so that nothing is measured twice.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.silence import Activity

__all__ = ["MOST_SNR_DB", "Dynamics", "find_dynamics"]

# 16 bit reach no further; digital silence would give any number one likes.
MOST_SNR_DB: Final = 96.0
# Of all blocks between digital silence, those before and after the words too: the closures of consonants alone, which a
# percentile of the words would see, change by 5 dB from one take to the next.
_QUIET_PERCENTILE: Final = 3
_DIGITAL_SILENCE_DB: Final = -90.0  # half a step of 16-bit samples
_LEAST_LAST_DB: Final = -60.0  # a room and digital silence are alike: the sound had ended
_LAST_BLOCKS: Final = 2  # the last one may be a few samples
_ENDING_BLOCKS: Final = 5  # 50 ms: a vowel takes as long to die away, a cut leaves it as loud as it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamics:
    """Levels of one sound that holds speech, against each other."""

    snr_db: float  # speech level over the quietest 3 %; small where nothing is quiet
    level_spread_db: float  # standard deviation of the blocks that are speech
    ending_db: float  # loudest of the last 50 ms over the speech level: -20 and less dies away, near 0 is cut in a word
    last_db: float  # level of the file's last 10 to 20 ms over the speech level, at least -60


def find_dynamics(activity: Activity) -> Dynamics:
    """How the level moves in a sound with speech.

    Raises:
        ValueError: There is no speech.
    """
    speech_db = activity.speech_level_db
    if speech_db is None or not activity.has_speech:
        raise ValueError("without speech there is nothing to compare levels with")
    active_db = activity.levels_db[activity.mask]
    sounding = np.flatnonzero(activity.levels_db > _DIGITAL_SILENCE_DB)
    quiet_db = np.percentile(activity.levels_db[sounding[0] : sounding[-1] + 1], _QUIET_PERCENTILE)
    return Dynamics(
        snr_db=min(MOST_SNR_DB, speech_db - float(quiet_db)),
        level_spread_db=float(active_db.std()),
        ending_db=float(active_db[-_ENDING_BLOCKS:].max()) - speech_db,
        last_db=max(_LEAST_LAST_DB, float(activity.levels_db[-_LAST_BLOCKS:].max()) - speech_db),
    )
