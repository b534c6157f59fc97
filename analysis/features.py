"""The features of one audio: a row of table `features`, whatever the bytes are.

Everything is measured on one resampling and one transform of the sound. What the columns mean is written beside them
in harness/store/schema.py; `more` holds what has no column yet:

    container, header      the kind of file, and "streaming" or "understated" where its header told no true length
    rms_db, dc_offset      as in `levels`
    speech_level_db        as in `silence`
    noise_floor_db         as in `silence`
    reason                 why the audio cannot be used, in one sentence
"""

from typing import Any, Final

from analysis.audio import Audio, decode
from analysis.dropouts import count_dropouts
from analysis.dynamics import find_dynamics
from analysis.levels import Levels, find_levels
from analysis.pitch import find_pitch
from analysis.repeats import find_repeat
from analysis.rhythm import find_rhythm
from analysis.silence import Activity, find_activity
from analysis.spectrum import RATE_HZ, Spectrum
from harness.errors import ErrorKind, UndecodableAudio
from harness.exchanges import OK
from harness.store.schema import TABLES

__all__ = ["MIN_SPEECH_S", "Row", "features_of", "measure", "unusable"]

Row = dict[str, Any]

MIN_SPEECH_S: Final = 0.1  # the shortest syllable; less is no speech
_NAMED_ELSEWHERE: Final = ("audio_sha256", "extractor_version")
_COLUMNS: Final = tuple(name for name in TABLES["features"].names if name not in _NAMED_ELSEWHERE)


def measure(data: bytes) -> Row:
    """The features of the audio in `data`: every column but the audio's name and the extractor's version.

    Audio that cannot be decoded, is silent or holds no speech gets the outcome that says so, and the numbers that
    exist.
    """
    try:
        return features_of(decode(data))
    except UndecodableAudio as error:
        return unusable(error.kind, str(error))


def unusable(kind: ErrorKind, reason: str) -> Row:
    """The row of audio of which nothing could be measured."""
    return {**dict.fromkeys(_COLUMNS), "outcome": kind.value, "more": {"reason": reason}}


def features_of(audio: Audio) -> Row:
    """The features of decoded sound."""
    y = audio.mono_at(RATE_HZ)
    activity = find_activity(y, rate_hz=RATE_HZ)
    levels = find_levels(audio)
    row: Row = dict.fromkeys(_COLUMNS)
    row |= _of_file(audio) | _of_activity(activity, audio.duration_s) | _of_levels(levels)
    row["more"] = _more(audio, levels, activity)
    if activity.active_s < MIN_SPEECH_S:
        row["outcome"] = ErrorKind.EMPTY_AUDIO.value
        row["more"]["reason"] = f"the audio holds no speech: {activity.active_s:.2f} s are loud enough"
    else:
        spectrum = Spectrum(y)
        row |= {"outcome": OK} | _of_dynamics(activity) | _of_rhythm(spectrum, activity.active_s)
        row["dropouts_per_s"] = _dropouts(audio, activity) / activity.active_s
        row |= _of_speech(spectrum.of(activity.at(spectrum.times_s)))
    return row


def _of_file(audio: Audio) -> Row:
    return {
        "duration_s": audio.duration_s,
        "sample_rate_hz": audio.rate_hz,
        "channels": audio.channels,
        "pcm_sha256": audio.pcm_sha256(),
    }


def _of_activity(activity: Activity, duration_s: float) -> Row:
    return {
        "active_s": activity.active_s,
        "active_share": activity.active_s / duration_s,
        "leading_silence_s": activity.leading_s,
        "trailing_silence_s": activity.trailing_s,
        "longest_silence_s": activity.longest_pause_s,
    }


def _of_levels(levels: Levels) -> Row:
    return {
        "loudness_lufs": levels.loudness_lufs,
        "loudness_range_lu": levels.loudness_range_lu,
        "peak_db": levels.peak_db,
        "true_peak_db": levels.true_peak_db,
        "clipped_share": levels.clipped_share,
    }


def _of_dynamics(activity: Activity) -> Row:
    dynamics = find_dynamics(activity)
    return {
        "snr_db": dynamics.snr_db,
        "level_spread_db": dynamics.level_spread_db,
        "ending_db": dynamics.ending_db,
        "last_db": dynamics.last_db,
    }


def _dropouts(audio: Audio, activity: Activity) -> int:
    level_db = activity.speech_level_db
    return 0 if level_db is None else count_dropouts(audio.mono(), rate_hz=audio.rate_hz, speech_level_db=level_db)


def _of_rhythm(spectrum: Spectrum, active_s: float) -> Row:
    rhythm = find_rhythm(spectrum)
    return {"syllables_per_s": rhythm.syllables / active_s, "flux_db": rhythm.flux_db}


def _of_speech(speech: Spectrum) -> Row:
    timbre = speech.timbre()
    pitch = find_pitch(speech)
    return {
        "centroid_hz": timbre.centroid_hz,
        "rolloff_hz": timbre.rolloff_hz,
        "bandwidth_hz": timbre.bandwidth_hz,
        "flatness": timbre.flatness,
        "energy_95_hz": timbre.energy_95_hz,
        "energy_99_hz": timbre.energy_99_hz,
        "mfcc_mean": list(timbre.mfcc),
        "mfcc_std": list(timbre.mfcc_std),
        "repeat_score": find_repeat(speech.mfcc()),
        "f0_median_hz": pitch.median_hz,
        "f0_iqr_semitones": pitch.iqr_semitones,
        "voiced_share": pitch.voiced_share,
    }


def _more(audio: Audio, levels: Levels, activity: Activity) -> Row:
    return {
        "container": audio.container.value,
        "header": audio.header,
        "rms_db": levels.rms_db,
        "dc_offset": levels.dc_offset,
        "speech_level_db": activity.speech_level_db,
        "noise_floor_db": activity.noise_floor_db,
    }
