import sys

import pytest

from analysis.models.error_rate import CHINESE_NUMBERS, ErrorRate, error_rate, normalised

pytest.importorskip("jiwer", reason="jiwer is not installed")
pytest.importorskip("num2words", reason="num2words is not installed")


@pytest.mark.parametrize(
    ("asked", "heard", "language"),
    [
        pytest.param("Good evening, and thank you!", "good evening and thank you", "en", id="case and punctuation"),
        pytest.param("I owe you 25 euros.", "I owe you twenty-five euros", "en", id="digits as words"),
        pytest.param("Il y a 1\u202f000 ans, environ.", "il y a mille ans environ", "fr", id="thousands, French"),
        pytest.param("Ich habe 3 Äpfel.", "ich habe drei äpfel", "de", id="German"),
        pytest.param("У меня 12 кошек", "у меня двенадцать кошек", "ru", id="Russian"),
        pytest.param("Don't say it's over", "dont say its over", "en", id="apostrophes"),
        pytest.param("Ｈｅｌｌｏ", "hello", "en", id="wide letters"),
        pytest.param("Agent 007", "agent zero zero seven", "en", id="leading noughts"),
        pytest.param("0.5 percent", "zero point five percent", "en", id="a fraction"),
        pytest.param("今天天气很好。", "今天 天气很好", "zh", id="Chinese, spaced"),
        pytest.param("안녕하세요 여러분", "안녕 하세요 여러분", "ko", id="Korean, spaced otherwise"),
    ],
)
def test_two_spellings_of_the_same_words_are_no_error(asked: str, heard: str, language: str) -> None:
    rate = error_rate(asked, heard, language)

    assert rate is not None
    assert rate.share == 0.0


@pytest.mark.parametrize(
    ("asked", "heard", "language", "expected"),
    [
        pytest.param("one two three four", "one two three", "en", ErrorRate(0.25, "wer"), id="a word left out"),
        pytest.param("one two", "one two three", "en", ErrorRate(0.5, "wer"), id="a word put in"),
        pytest.param("one", "two three", "en", ErrorRate(2.0, "wer"), id="more heard than said"),
        pytest.param("one two", "", "en", ErrorRate(1.0, "wer"), id="nothing heard"),
        pytest.param("天气很好", "天气不好", "zh", ErrorRate(0.25, "cer"), id="one character of four"),
        pytest.param("天气很好", "天气不好", None, ErrorRate(0.25, "cer"), id="no language told, the writing tells"),
        pytest.param("one two", "one too", None, ErrorRate(0.5, "wer"), id="no language told, words"),
    ],
)
def test_errors_are_counted_by_what_was_asked_for(
    asked: str, heard: str, language: str | None, expected: ErrorRate
) -> None:
    assert error_rate(asked, heard, language) == expected


@pytest.mark.parametrize("asked", ["", "…!"])
def test_where_nothing_was_asked_for_there_is_no_rate(asked: str) -> None:
    assert error_rate(asked, "words", "en") is None


def test_a_number_in_a_language_that_the_library_does_not_know_stays_as_it_is_written() -> None:
    assert normalised("25 გრადუსი", "ka") == "25 გრადუსი"


def test_chinese_numbers_stay_as_they_are_written_where_their_library_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, CHINESE_NUMBERS, None)

    assert normalised("25 度", "zh") == "25 度"
    assert normalised("2026年有两个", "zh") == "2026 年有两个"


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        pytest.param("气温25度。", "气温二十五度", id="a number"),
        pytest.param("一共1,200元", "一共一千二百元", id="with a thousands' comma"),
        pytest.param("3.5公里", "三点五公里", id="a fraction"),
        pytest.param("2026年", "二〇二六年", id="a year, digit by digit"),
        pytest.param("有2个人", "有两个人", id="two has two signs"),
        pytest.param("房间007", "房间零零七", id="leading noughts"),
    ],
)
def test_chinese_digits_are_said_where_their_library_is_there(asked: str, heard: str) -> None:
    pytest.importorskip(CHINESE_NUMBERS, reason="cn2an is not installed")

    assert error_rate(asked, heard, "zh") == ErrorRate(0.0, "cer")
