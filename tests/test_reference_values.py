"""That features agree with Praat, the field's reference, on speech: what analytic signals cannot show.

The other features have their reference in their own test files: librosa's functions (timbre, MFCC, flux), pyloudnorm
and the signals of EBU Tech 3342 (loudness), sines and noise of known level (peaks, clipping, offset, SNR).
"""

from functools import cache
from typing import Any

import numpy as np
import pytest
import soxr

from analysis.audio import FloatArray
from analysis.features import features_of
from harness.emulators.timbres import CAST
from harness.emulators.voices import Line, Rendition, speak
from tests.analysis.sounds import an_audio

parselmouth = pytest.importorskip("parselmouth", reason="praat-parselmouth is not installed")
RATE_HZ = 16_000
TEXTS = {  # and their syllables, counted by hand
    "Good evening, and thank you for calling the harbour hotel.": 14,
    "We will call you back tomorrow morning at a quarter to seven.": 16,
    "The number that you have dialled is not available at the moment.": 19,
}
CASES = [(voice, text) for voice in ("bass", "tenor", "alto", "soprano") for text in TEXTS]


@cache
def said(voice: str, text: str) -> FloatArray:
    line = Line(text=text, language="en", timbre=CAST[voice], rendition=Rendition.HOSTED, take=1)
    return np.asarray(soxr.resample(speak(line), 24_000, RATE_HZ), np.float32)


@cache
def ours(voice: str, text: str) -> dict[str, Any]:
    return features_of(an_audio(said(voice, text)))


def praat(voice: str, text: str) -> Any:
    return parselmouth.Sound(said(voice, text).astype(np.float64), sampling_frequency=RATE_HZ)


def praat_pitch(voice: str, text: str) -> Any:
    """Praat's pitch by autocorrelation in the range of voices and with its own voicing rules; 0 where unvoiced."""
    return praat(voice, text).to_pitch_ac(time_step=0.016, pitch_floor=60.0, pitch_ceiling=600.0)


@pytest.mark.parametrize(("voice", "text"), CASES)
def test_median_pitch_is_that_of_praat_within_three_percent(voice: str, text: str) -> None:
    hz = praat_pitch(voice, text).selected_array["frequency"]

    assert ours(voice, text)["f0_median_hz"] == pytest.approx(float(np.median(hz[hz > 0])), rel=0.03)


@pytest.mark.parametrize(("voice", "text"), CASES)
def test_the_spread_of_pitch_is_that_of_praat_within_a_semitone(voice: str, text: str) -> None:
    hz = praat_pitch(voice, text).selected_array["frequency"]
    low, high = np.percentile(hz[hz > 0], [25, 75])

    assert ours(voice, text)["f0_iqr_semitones"] == pytest.approx(12 * np.log2(high / low), abs=1.0)


@pytest.mark.parametrize(("voice", "text"), CASES)
def test_the_voiced_share_is_that_of_praat_within_fifteen_points(voice: str, text: str) -> None:
    pitch = praat_pitch(voice, text)
    voiced_s = float((pitch.selected_array["frequency"] > 0).sum()) * pitch.time_step

    # Praat counts frames of the whole sound: taken by the same length of speech, the two are comparable.
    assert ours(voice, text)["voiced_share"] == pytest.approx(voiced_s / ours(voice, text)["active_s"], abs=0.15)


@pytest.mark.parametrize(("voice", "text"), CASES)
def test_speech_and_silence_are_those_of_praat_within_a_tenth(voice: str, text: str) -> None:
    grid = parselmouth.praat.call(
        praat(voice, text), "To TextGrid (silences)", 100.0, 0.0, -40.0, 0.11, 0.03, "silent", "sounding"
    )
    sounding = parselmouth.praat.call(grid, "Get total duration of intervals where", 1, "is equal to", "sounding")

    assert ours(voice, text)["active_s"] == pytest.approx(sounding, rel=0.1)


@pytest.mark.parametrize(("voice", "text"), CASES)
def test_the_mean_level_is_that_of_praat_to_a_hundredth_of_a_decibel(voice: str, text: str) -> None:
    rms = parselmouth.praat.call(praat(voice, text), "Get root-mean-square", 0.0, 0.0)

    assert ours(voice, text)["more"]["rms_db"] == pytest.approx(20 * np.log10(rms), abs=0.01)


@pytest.mark.parametrize(("voice", "text"), CASES)
def test_syllables_are_those_counted_by_hand_within_a_quarter(voice: str, text: str) -> None:
    found = ours(voice, text)

    assert found["syllables_per_s"] * found["active_s"] == pytest.approx(TEXTS[text], rel=0.25)
