import librosa
import numpy as np
import pytest

from analysis.audio import FloatArray
from analysis.spectrum import HOP, N_FFT, N_MELS, RATE_HZ, Spectrum
from tests.analysis.sounds import a_noise, a_silence, a_tone, a_vowel, an_utterance

SOUNDS = [
    pytest.param(an_utterance(), id="words"),
    pytest.param(a_vowel(200.0), id="a vowel"),
    pytest.param(a_noise(), id="noise"),
    pytest.param(a_tone(1_000.0), id="a tone"),
]
FRAMES = {"n_fft": N_FFT, "hop_length": HOP}


@pytest.mark.parametrize("y", SOUNDS)
def test_timbre_is_what_librosa_measures_on_the_sound_itself(y: FloatArray) -> None:
    timbre = Spectrum(y).timbre()

    rate = {"y": y, "sr": RATE_HZ, **FRAMES}
    assert timbre.centroid_hz == pytest.approx(librosa.feature.spectral_centroid(**rate).mean(), rel=1e-4)
    assert timbre.rolloff_hz == pytest.approx(librosa.feature.spectral_rolloff(**rate).mean(), rel=1e-4)
    assert timbre.bandwidth_hz == pytest.approx(librosa.feature.spectral_bandwidth(**rate).mean(), rel=1e-3)
    assert timbre.flatness == pytest.approx(librosa.feature.spectral_flatness(y=y, **FRAMES).mean(), rel=1e-3)


@pytest.mark.parametrize("y", SOUNDS)
def test_mel_bands_and_their_coefficients_are_librosas(y: FloatArray) -> None:
    spectrum = Spectrum(y)

    mel = librosa.feature.melspectrogram(y=y, sr=RATE_HZ, n_mels=N_MELS, **FRAMES)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=13)
    np.testing.assert_allclose(spectrum.mel_db(), librosa.power_to_db(mel), atol=0.01)
    np.testing.assert_allclose(spectrum.timbre().mfcc, mfcc.mean(axis=1), atol=0.02)
    np.testing.assert_allclose(spectrum.timbre().mfcc_std, mfcc.std(axis=1), atol=0.02)


def test_a_tone_has_its_centre_where_it_lies_and_no_width() -> None:
    spectrum = Spectrum(a_tone(1_000.0, seconds=2.0))

    timbre = spectrum.of(np.abs(spectrum.times_s - 1.0) < 0.5).timbre()

    assert timbre.centroid_hz == pytest.approx(1_000.0, abs=2.0)
    assert timbre.bandwidth_hz < 50.0
    assert timbre.flatness < 1e-4


def test_white_noise_fills_the_band_evenly() -> None:
    timbre = Spectrum(a_noise(4.0)).timbre()

    assert timbre.centroid_hz == pytest.approx(RATE_HZ / 4, rel=0.01)
    assert timbre.rolloff_hz == pytest.approx(0.85 * RATE_HZ / 2, rel=0.01)
    assert timbre.bandwidth_hz == pytest.approx(RATE_HZ / 2 / 12**0.5, rel=0.02)
    assert timbre.flatness == pytest.approx(0.56, abs=0.02)  # exp(-Euler's constant), of an exponential spread


def test_power_up_to_a_share_lies_below_the_frequency_told() -> None:
    noise, tones = Spectrum(a_noise(4.0)).timbre(), Spectrum(a_tone(1_000.0) + a_tone(3_000.0)).timbre()

    assert noise.energy_95_hz == pytest.approx(0.95 * RATE_HZ / 2, rel=0.01)
    assert noise.energy_99_hz == pytest.approx(0.99 * RATE_HZ / 2, rel=0.01)
    assert tones.energy_95_hz == pytest.approx(3_000.0, abs=25.0)


def test_frames_keep_the_decibels_they_had_in_the_whole() -> None:
    whole = Spectrum(np.concatenate([a_tone(500.0), a_tone(3_000.0, level_db=-60.0)]))
    late = whole.times_s > 1.0
    expected = whole.mel_db()[:, late]

    np.testing.assert_array_equal(whole.of(late).mel_db(), expected)


def test_only_the_frames_asked_for_are_measured() -> None:
    spectrum = Spectrum(np.concatenate([a_tone(500.0), a_tone(3_000.0)]))

    first = spectrum.of((spectrum.times_s > 0.1) & (spectrum.times_s < 0.9)).timbre()

    assert first.centroid_hz == pytest.approx(500.0, abs=3.0)


def test_frames_of_digital_silence_do_not_disturb_the_means() -> None:
    spectrum = Spectrum(np.concatenate([a_tone(500.0), a_silence(1.0)]))

    timbre = spectrum.timbre()

    assert np.isfinite([timbre.centroid_hz, timbre.bandwidth_hz, timbre.flatness, *timbre.mfcc]).all()
    assert timbre.centroid_hz < 1_000.0


def test_the_middle_of_a_frame_is_its_time() -> None:
    click = a_silence(1.0)
    click[8_000] = 1.0
    spectrum = Spectrum(click)

    loudest = spectrum.times_s[np.argmax(spectrum.magnitude.sum(axis=0))]

    assert loudest == pytest.approx(0.5, abs=HOP / RATE_HZ)
