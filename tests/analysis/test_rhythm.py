import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.audio import FloatArray
from analysis.rhythm import find_rhythm
from analysis.spectrum import Spectrum
from tests.analysis.sounds import RATE_HZ, a_noise, a_silence, a_tone, a_vowel, an_utterance


def syllables(y: FloatArray) -> int:
    return find_rhythm(Spectrum(y)).syllables


@pytest.mark.parametrize("words", [1, 2, 5, 9])
def test_every_vowel_between_pauses_is_a_syllable(words: int) -> None:
    assert syllables(an_utterance(words)) == words


@pytest.mark.parametrize("rate_hz", [2.0, 4.0, 6.0])
def test_swells_without_a_pause_between_them_are_counted(rate_hz: float) -> None:
    times_s = np.arange(3 * RATE_HZ) / RATE_HZ
    swell = (0.55 - 0.45 * np.cos(2 * np.pi * rate_hz * times_s)).astype(np.float32)

    assert syllables(a_vowel(seconds=3.0) * swell) == 3 * rate_hz


def test_a_hiss_between_two_vowels_is_no_syllable() -> None:
    hiss = np.diff(a_noise(0.2, level_db=-40.0), n=3, prepend=[0.0] * 3).astype(np.float32)

    assert syllables(np.concatenate([a_vowel(seconds=0.3), hiss, a_vowel(seconds=0.3)])) == 2


def test_digital_silence_has_no_rhythm() -> None:
    rhythm = find_rhythm(Spectrum(a_silence(1.0)))

    assert (rhythm.syllables, rhythm.flux_db) == (0, 0.0)


@pytest.mark.parametrize(
    "y",
    [pytest.param(an_utterance(), id="words"), pytest.param(a_noise(), id="noise"), pytest.param(a_tone(), id="tone")],
)
def test_flux_is_the_onset_strength_of_librosa(y: FloatArray) -> None:
    spectrum = Spectrum(y)

    theirs = librosa.onset.onset_strength(S=spectrum.mel_db(), center=False)[1:]

    assert find_rhythm(spectrum).flux_db == pytest.approx(float(theirs.mean()), rel=1e-3)


@settings(max_examples=10, deadline=None)
@given(gain_db=st.floats(-15, 5), pad_s=st.floats(0.0, 1.0))
def test_gain_and_silence_around_it_leave_the_count(gain_db: float, pad_s: float) -> None:
    louder = an_utterance(5) * np.float32(10 ** (gain_db / 20))

    assert syllables(np.concatenate([a_silence(pad_s), louder, a_silence(pad_s)])) == 5
