import sys
import threading

import numpy as np
import pytest

from harness.emulators.espeak import RATE_HZ, Espeak, espeak
from harness.errors import ConfigError

PLAIN = {"voice": "en-US+alto", "words_per_minute": 175, "pitch": 50, "pitch_range": 50}


def test_a_sentence_becomes_seconds_of_sound() -> None:
    samples = espeak().speak("The weather is lovely today.", **PLAIN)

    assert 1.0 < len(samples) / RATE_HZ < 3.0
    assert np.abs(samples).max() > 3_000


def test_the_same_words_come_out_the_same_after_another_voice_spoke() -> None:
    first = espeak().speak("Once.", **PLAIN)
    espeak().speak("Zwischendurch.", **{**PLAIN, "voice": "de+bass", "pitch": 20})

    assert np.array_equal(espeak().speak("Once.", **PLAIN), first)


def test_faster_words_take_less_time() -> None:
    slow = espeak().speak("One, two, three.", **{**PLAIN, "words_per_minute": 120})
    fast = espeak().speak("One, two, three.", **{**PLAIN, "words_per_minute": 240})

    assert len(fast) < 0.7 * len(slow)


@pytest.mark.parametrize("text", ["", "   ", "\0"])
def test_text_without_a_word_has_next_to_no_sound(text: str) -> None:
    assert len(espeak().speak(text, **PLAIN)) < 0.1 * RATE_HZ


def test_a_zero_byte_does_not_end_the_text() -> None:
    assert len(espeak().speak("one\0two three four", **PLAIN)) > 2 * len(espeak().speak("one", **PLAIN))


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(ConfigError, match="no voice 'xx-none'"):
        espeak().speak("Hello.", **{**PLAIN, "voice": "xx-none"})


def test_threads_take_turns() -> None:
    expected = espeak().speak("Together now.", **PLAIN)
    heard: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: heard.append(np.array_equal(espeak().speak("Together now.", **PLAIN), expected))
        )
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert heard == [True] * 8


def test_a_missing_wheel_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)

    with pytest.raises(ConfigError, match=r"espeakng-loader is not installed: .*pip install 'voice-cutover\[demo\]'"):
        Espeak()


def test_a_library_that_does_not_load_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: "/nowhere/libespeak-ng.so")

    with pytest.raises(ConfigError, match="its library cannot be loaded"):
        Espeak()
