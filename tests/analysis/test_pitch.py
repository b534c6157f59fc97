import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.audio import FloatArray
from analysis.pitch import Pitch, find_pitch
from analysis.spectrum import Spectrum
from tests.analysis.sounds import a_noise, a_silence, a_tone, a_vowel, an_utterance


def pitch(y: FloatArray) -> Pitch:
    return find_pitch(Spectrum(y))


@pytest.mark.parametrize("hz", [65, 80, 120, 180, 250, 350, 500])
def test_a_held_vowel_has_the_pitch_it_was_made_with(hz: int) -> None:
    found = pitch(a_vowel(hz, seconds=1.5))

    assert found.median_hz == pytest.approx(hz, rel=0.01)
    assert found.voiced_share > 0.9
    assert found.iqr_semitones is not None
    assert found.iqr_semitones < 0.3


@pytest.mark.parametrize("hz", [100, 200, 400])
def test_the_spread_of_a_swaying_pitch_is_found(hz: int) -> None:
    found = pitch(a_vowel(lambda times_s: hz * 2 ** (3 / 12 * np.sin(2 * np.pi * 0.7 * times_s)), seconds=4.3))

    # Half of a sine's time is spent within ±0.707 of its reach: 6 semitones by 0.707.
    assert found.iqr_semitones == pytest.approx(4.24, abs=0.4)
    assert found.median_hz == pytest.approx(hz, rel=0.03)


@pytest.mark.parametrize("hz", [70.0, 220.0, 590.0])
def test_a_pure_tone_has_the_pitch_of_its_frequency(hz: float) -> None:
    assert pitch(a_tone(hz)).median_hz == pytest.approx(hz, rel=0.003)


def test_noise_that_is_as_loud_as_the_voice_half_hides_it_but_does_not_bend_it() -> None:
    voice = a_vowel(150.0, seconds=2.0)
    noisy = voice + a_noise(2.0, level_db=20 * np.log10(voice.std()) - 5)

    assert pitch(noisy).median_hz == pytest.approx(150.0, rel=0.01)


@pytest.mark.parametrize(
    "y", [pytest.param(a_noise(2.0), id="noise"), pytest.param(a_silence(1.0), id="digital silence")]
)
def test_what_has_no_period_is_unvoiced(y: FloatArray) -> None:
    found = pitch(y)

    assert (found.voiced_share, found.median_hz, found.iqr_semitones) == (0.0, None, None)


def test_a_moment_of_voice_has_a_median_and_no_spread() -> None:
    found = pitch(a_vowel(150.0, seconds=0.1))

    assert found.median_hz == pytest.approx(150.0, rel=0.02)
    assert found.iqr_semitones is None


def test_one_stray_frame_an_octave_away_is_put_right_by_the_second_look() -> None:
    half_hidden = np.concatenate([a_vowel(120.0, seconds=1.0), a_tone(480.0, seconds=0.1), a_vowel(120.0, seconds=1.0)])

    found = pitch(half_hidden)

    assert np.nanmax(found.f0_hz) < 250.0


@settings(max_examples=15, deadline=None)
@given(gain_db=st.floats(-40, 6))
def test_gain_changes_no_pitch(gain_db: float) -> None:
    speech = an_utterance()

    plain, other = pitch(speech), pitch((speech * 10 ** (gain_db / 20)).astype(np.float32))

    assert other.median_hz == pytest.approx(plain.median_hz, rel=1e-3)
    assert other.iqr_semitones == pytest.approx(plain.iqr_semitones, abs=0.01)
