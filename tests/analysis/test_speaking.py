import pytest

from analysis.speaking import speaking_rate, spoken_chars


@pytest.mark.parametrize(
    ("text", "chars"),
    [
        pytest.param("Hello, world!", 10, id="spaces and punctuation take no time"),
        pytest.param("今天天气很好。", 6, id="Chinese"),
        pytest.param("café", 4, id="a letter with its accent"),
        pytest.param("cafe\u0301", 4, id="the same, accent apart"),
        pytest.param("call 911", 7, id="digits are spoken"),
        pytest.param("안녕", 2, id="Korean"),
        pytest.param("…!?", 0, id="nothing to say"),
    ],
)
def test_letters_and_digits_are_what_is_spoken(text: str, chars: int) -> None:
    assert spoken_chars(text) == chars


def test_the_rate_is_characters_by_seconds_of_speech() -> None:
    assert speaking_rate("Hello, world!", 0.5) == 20.0


@pytest.mark.parametrize(("text", "active_s"), [("", 1.0), ("...", 1.0), ("Hello", 0.0), ("Hello", None)])
def test_without_text_or_speech_there_is_no_rate(text: str, active_s: float | None) -> None:
    assert speaking_rate(text, active_s) is None
