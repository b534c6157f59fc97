from functools import cache
from pathlib import Path

import librosa
import numpy as np
import pytest
import soxr

from analysis.audio import FloatArray
from analysis.models.speaker import RATE_HZ, SpeakerEncoder, mels_of, prepared
from analysis.models.voiceprint import cosine
from harness.emulators.timbres import CAST
from harness.emulators.voices import Line, Rendition, speak
from tests.analysis.models.smallest import REAL_MODELS, install_small_encoder, real
from tests.analysis.sounds import a_silence, an_utterance

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed: no small model can be made")
SPEECH = an_utterance(8)


@pytest.fixture
def small(tmp_path: Path) -> SpeakerEncoder:
    return SpeakerEncoder(install_small_encoder(tmp_path) / "ge2e.onnx")


def test_mels_are_those_of_librosa() -> None:
    expected = librosa.feature.melspectrogram(y=SPEECH, sr=RATE_HZ, n_fft=400, hop_length=160, n_mels=40)

    (first, *_) = mels_of(SPEECH)

    np.testing.assert_allclose(first, expected.T[:160], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("seconds", "looks"),
    [
        pytest.param(0.5, 1, id="shorter than one look"),
        pytest.param(1.6, 1, id="just one"),
        pytest.param(2.0, 2, id="the second three quarters full"),
        pytest.param(1.9, 1, id="the second less than that: left out"),
        pytest.param(3.2, 3, id="overlapping by half"),
    ],
)
def test_a_sound_is_looked_at_in_stretches_of_the_length_of_training(seconds: float, looks: int) -> None:
    assert mels_of(np.ones(round(seconds * RATE_HZ), np.float32)).shape == (looks, 160, 40)


def test_neither_gain_nor_silence_around_it_changes_a_voice(small: SpeakerEncoder) -> None:
    padded = np.concatenate([a_silence(1.0), SPEECH * np.float32(0.25), a_silence(2.0)])

    assert cosine(small.embed(SPEECH), small.embed(padded)) > 0.999


def test_what_is_prepared_lies_at_the_level_of_training_whether_it_was_louder_or_softer() -> None:
    for gain in (0.1, 1.0):
        speech = prepared(SPEECH * np.float32(gain))
        assert 20 * np.log10(np.sqrt(np.mean(speech**2))) == pytest.approx(-30.0, abs=0.01)


def test_long_pauses_are_left_out_and_short_ones_stay() -> None:
    half = len(SPEECH) // 2
    long = np.concatenate([SPEECH[:half], a_silence(3.0), SPEECH[half:]])

    assert len(prepared(long)) == pytest.approx(len(prepared(SPEECH)), abs=0.3 * RATE_HZ)
    assert len(prepared(SPEECH)) > 0.8 * len(SPEECH)


@cache
def said(name: str, take: int) -> FloatArray:
    text = ("Good evening, and thank you for calling.", "We will call you back tomorrow morning.")[take]
    line = Line(text=text, language="en", timbre=CAST[name], rendition=Rendition.HOSTED, take=take)
    return np.asarray(soxr.resample(speak(line), 24_000, RATE_HZ), np.float32)


@real("ge2e")
@pytest.mark.parametrize(("name", "stranger"), [("bass", "soprano"), ("alto", "bass"), ("soprano", "baritone")])
def test_the_real_encoder_finds_a_voice_again_in_other_words(name: str, stranger: str) -> None:
    encoder = SpeakerEncoder(REAL_MODELS / "ge2e" / "ge2e.onnx")
    voice, again, other = (encoder.embed(said(*each)) for each in ((name, 0), (name, 1), (stranger, 1)))

    assert cosine(voice, again) > 0.8 > 0.7 > cosine(voice, other)
    assert cosine(voice, encoder.embed(said(name, 0) * np.float32(0.25))) > 0.999
