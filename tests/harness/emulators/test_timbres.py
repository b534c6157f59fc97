from itertools import pairwise

import numpy as np
import pytest

from harness.emulators.audio import Recording
from harness.emulators.timbres import (
    CAST,
    median_pitch_hz,
    timbre_of_description,
    timbre_of_recording,
    timbre_of_speaker,
)
from harness.emulators.voices import Rendition, speak
from harness.preset_voices import QWEN_HOSTED
from harness.speech import LANGUAGES, PROBE_TEXTS
from tests.harness.emulators.callers import a_line


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rendition", Rendition)
def test_listening_to_a_voice_finds_it_again_in_every_language(language: str, rendition: Rendition) -> None:
    spoken = {
        name: speak(a_line(PROBE_TEXTS[language], language=language, timbre=name, rendition=rendition)) for name in CAST
    }

    heard = {name: timbre_of_recording(Recording(samples, 24_000, 1)).name for name, samples in spoken.items()}

    assert heard == {name: name for name in CAST}


@pytest.mark.parametrize("rate_hz", [24_000, 48_000])
@pytest.mark.parametrize("pitch_hz", [80.0, 120.0, 180.0, 300.0])
def test_the_pitch_of_a_buzz_is_heard(pitch_hz: float, rate_hz: int) -> None:
    time_s = np.arange(rate_hz) / rate_hz
    buzz = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 6)).astype(np.float32) / 4

    assert median_pitch_hz(buzz, rate_hz=rate_hz) == pytest.approx(pitch_hz, rel=0.03)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(24_000, dtype=np.float32), id="silence"),
        pytest.param(np.random.default_rng(1).standard_normal(24_000).astype(np.float32) * 0.1, id="noise"),
        pytest.param(np.zeros(100, dtype=np.float32), id="too short"),
    ],
)
def test_without_a_voice_there_is_no_pitch_and_still_a_timbre(samples: np.ndarray) -> None:
    assert median_pitch_hz(samples, rate_hz=24_000) == 0.0
    assert timbre_of_recording(Recording(samples, 24_000, 1)) in CAST.values()


def test_both_spellings_of_a_preset_are_one_voice() -> None:
    assert timbre_of_speaker("Ono_Anna") == timbre_of_speaker("Ono Anna")


def test_presets_share_the_cast_yet_rarely_a_sound() -> None:
    sounds = {
        (timbre.variant, timbre.formant_shift, timbre.words_per_minute)
        for timbre in map(timbre_of_speaker, QWEN_HOSTED)
    }

    assert len(sounds) > 0.6 * len(QWEN_HOSTED)


@pytest.mark.parametrize(("name", "is_low"), [("Ryan", True), ("Uncle_Fu", True), ("Cherry", False), ("Sohee", False)])
def test_a_preset_has_the_register_of_its_name(name: str, is_low: bool) -> None:
    assert (timbre_of_speaker(name).median_hz < 130) is is_low


def test_descriptions_are_spread_over_the_whole_cast() -> None:
    drawn = {timbre_of_description(f"description {number}").name for number in range(100)}

    assert drawn == set(CAST)


def test_members_of_the_cast_lie_apart() -> None:
    pitches = [timbre.median_hz for timbre in CAST.values()]

    assert min(high / low for low, high in pairwise(pitches)) > 1.19
