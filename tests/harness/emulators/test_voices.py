from dataclasses import replace

import numpy as np
import pyloudnorm
import pytest

from harness.emulators.timbres import median_pitch_hz, timbre_of_speaker
from harness.emulators.voices import Rendition, guess_language, speak
from harness.speech import LANGUAGES, PROBE_TEXTS
from tests.harness.emulators.callers import a_line, level_db

SENTENCE = PROBE_TEXTS["en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_spoken_at_a_natural_length(language: str) -> None:
    samples = speak(a_line(PROBE_TEXTS[language], language=language))

    assert level_db(samples) == pytest.approx(-21, abs=1.5)
    assert 2.0 < len(samples) / 24_000 < 6.5
    assert np.abs(samples).max() < 1.0


def test_one_take_is_one_sound() -> None:
    assert np.array_equal(speak(a_line(SENTENCE, take=5)), speak(a_line(SENTENCE, take=5)))


def test_two_takes_differ_a_little() -> None:
    takes = [speak(a_line(SENTENCE, take=take)) for take in range(12)]
    lengths = [len(samples) for samples in takes]
    pitches = [median_pitch_hz(samples, rate_hz=24_000) for samples in takes]

    assert len(set(lengths)) > 6
    assert max(lengths) / min(lengths) < 1.10
    assert max(pitches) / min(pitches) < 1.06


@pytest.mark.parametrize("timbre", ["bass", "tenor", "alto", "soprano"])
@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_both_renditions_are_the_same_voice_through_another_chain(timbre: str, language: str) -> None:
    legacy, hosted = (
        speak(a_line(PROBE_TEXTS[language], language=language, timbre=timbre, rendition=rendition))
        for rendition in Rendition
    )
    meter = pyloudnorm.Meter(24_000)
    loudness = [meter.integrated_loudness(samples.astype(float)) for samples in (legacy, hosted)]
    spectra = [np.abs(np.fft.rfft(samples, 1 << 18)) ** 2 for samples in (legacy, hosted)]
    highs = [spectrum[len(spectrum) // 3 :].sum() / spectrum.sum() for spectrum in spectra]

    pitch = [median_pitch_hz(samples, rate_hz=24_000) for samples in (legacy, hosted)]
    assert pitch[1] / pitch[0] == pytest.approx(1.0, abs=0.05)
    assert len(hosted) / len(legacy) == pytest.approx(1.0, abs=0.05)
    assert abs(loudness[1] - loudness[0]) < 1.5
    assert highs[1] > 1.15 * highs[0]


def test_a_shade_keeps_the_pitch_and_moves_the_formants() -> None:
    plain = a_line(SENTENCE, timbre="alto")
    shaded = replace(plain, timbre=replace(plain.timbre, formant_shift=1.06))

    pitches = [median_pitch_hz(speak(line), rate_hz=24_000) for line in (plain, shaded)]
    lengths = [len(speak(line)) for line in (plain, shaded)]

    assert pitches[1] / pitches[0] == pytest.approx(1.0, abs=0.04)
    assert lengths[1] / lengths[0] == pytest.approx(1.0, abs=0.05)


def test_presets_sound_different() -> None:
    lengths = {
        len(speak(replace(a_line(SENTENCE), timbre=timbre_of_speaker(name)))) for name in ("Cherry", "Serena", "Ryan")
    }

    assert len(lengths) == 3


@pytest.mark.parametrize("text", ["", "…", "\0"])
def test_text_without_a_word_is_a_breath_of_noise(text: str) -> None:
    samples = speak(a_line(text))

    assert 0.05 < len(samples) / 24_000 < 0.5
    assert -80 < level_db(samples) < -60


def test_a_long_text_is_spoken_to_the_end() -> None:
    short, long = (len(speak(a_line(SENTENCE + " " + SENTENCE * times))) for times in (0, 9))

    assert 8 < long / short < 12


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Good morning.", "en"),
        ("Guten Morgen.", "en"),  # Latin script does not tell
        ("早上好。", "zh"),
        ("今日はいい天気です。", "ja"),
        ("안녕하세요.", "ko"),
        ("Доброе утро.", "ru"),
        ("", "en"),
    ],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    assert guess_language(text) == language


def test_without_a_language_the_script_decides() -> None:
    line = a_line(PROBE_TEXTS["ru"], language="ru")

    assert np.array_equal(speak(replace(line, language=None)), speak(line))


def test_kanji_are_as_long_as_speech() -> None:
    assert len(speak(a_line("今日天気公園散歩", language="ja"))) / 24_000 < 4.0
