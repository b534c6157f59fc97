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
_QUIET_PERCENTILE: Final = 5
_ENDING_BLOCKS: Final = 2  # 20 ms: a vowel takes 50 to die away in a room, a cut none


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamics:
    """Levels of one sound that holds speech, against each other."""

    snr_db: float  # speech level over the quiet between first and last speech; small where there is no pause
    level_spread_db: float  # 10th to 90th percentile of the blocks that are speech
    ending_db: float  # last 20 ms of speech over the speech level: -40 dies away, near 0 is cut off in a word


def find_dynamics(activity: Activity) -> Dynamics:
    """How the level moves in a sound with speech.

    Raises:
        ValueError: There is no speech.
    """
    speech_db = activity.speech_level_db
    if speech_db is None or not activity.has_speech:
        raise ValueError("without speech there is nothing to compare levels with")
    active = np.flatnonzero(activity.mask)
    within_db = activity.levels_db[active[0] : active[-1] + 1]
    low_db, high_db = np.percentile(activity.levels_db[active], [10, 90])
    quiet_db = float(np.percentile(within_db, _QUIET_PERCENTILE))
    last_db = within_db[-_ENDING_BLOCKS:].mean()
    return Dynamics(
        snr_db=min(MOST_SNR_DB, speech_db - quiet_db),
        level_spread_db=float(high_db - low_db),
        ending_db=float(last_db) - speech_db,
    )
