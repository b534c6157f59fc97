from dataclasses import replace

import pytest

from harness.speech import LANGUAGES, PROBE_TEXTS, Operation, VoiceKind, billed_chars
from tests.builders import a_request, a_voice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", 0, id="nothing"),
        pytest.param("Hello, world!", 13, id="Latin counts 1"),
        pytest.param("你好", 4, id="Han counts 2"),
        pytest.param("你好，world。", 11, id="full-width punctuation counts 1"),
        pytest.param("今日はカフェ", 8, id="kana counts 1, kanji 2"),
        pytest.param("한국어 漢字", 8, id="hangul counts 1, hanja 2"),
        pytest.param("\U00020000\U00030000", 4, id="the far extensions are Han too"),
        pytest.param("我" * 92 + "T恤"[:1] + "a" * 10, 195, id="103 characters of which 92 Han are billed as 195"),
        pytest.param("👍", 1, id="an emoji is one character"),
    ],
)
def test_a_han_character_is_billed_twice_and_any_other_once(text: str, expected: int) -> None:
    assert billed_chars(text) == expected


def test_every_language_has_a_probe() -> None:
    assert PROBE_TEXTS.keys() == LANGUAGES.keys()


def test_a_clone_without_a_text_speaks_the_probe_of_its_language() -> None:
    request = a_request("", operation=Operation.CLONE, language="de")

    assert request.spoken_text == PROBE_TEXTS["de"]


def test_a_clone_whose_language_is_open_speaks_the_english_probe() -> None:
    assert a_request("", operation=Operation.CLONE, language=None).spoken_text == PROBE_TEXTS["en"]


def test_equal_requests_have_equal_fingerprints() -> None:
    assert a_request("Hi").fingerprint() == a_request("Hi").fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Ho"},
        {"language": None},
        {"voice": a_voice(VoiceKind.CLONE)},
        {"voice": a_voice(id="Ethan")},
        {"instructions": "whisper"},
        {"response_format": "mp3"},
        {"sample_rate_hz": 16_000},
        {"stream": True},
        {"operation": Operation.DESIGN},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_shapes_the_audio_changes_the_fingerprint(change: dict[str, object]) -> None:
    request = a_request("Hi")

    assert replace(request, **change).fingerprint() != request.fingerprint()  # type: ignore[arg-type]


def test_a_fingerprint_cannot_be_forged_by_moving_text_between_fields() -> None:
    assert a_request('a","en').fingerprint() != a_request("a").fingerprint()
