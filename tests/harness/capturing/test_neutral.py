import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capturing.neutral import neutral_description, neutral_text
from harness.speech import LANGUAGES, PROBE_TEXTS


@given(st.text(max_size=300), st.sampled_from([*LANGUAGES, None, "nl"]))
def test_length_stays_and_the_words_do_not_matter(text: str, language: str | None) -> None:
    neutral = neutral_text(text, language)

    assert len(neutral) == len(text)
    assert neutral.strip() or not text


def test_equal_lengths_give_equal_words() -> None:
    assert neutral_text("My secret is 42.", "en") == neutral_text("Another secrets!", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentence_is_in_the_language_of_the_text(language: str) -> None:
    assert neutral_text("x" * 10, language) == PROBE_TEXTS[language][:10].rstrip() + "." * (
        PROBE_TEXTS[language][9] == " "
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [("今日はいい天気", "ja"), ("今天天气很好", "zh"), ("오늘은", "ko"), ("Сегодня", "ru"), ("Bonjour", "en")],
)
def test_without_a_language_the_script_decides(text: str, language: str) -> None:
    assert neutral_text(text, None)[:3] == PROBE_TEXTS[language][:3]


def test_a_long_text_repeats_the_sentence() -> None:
    assert neutral_text("x" * 130, "en").count("The weather is lovely") == 2


def test_a_description_stays_one() -> None:
    assert neutral_description("An old man from Bavaria").startswith("A clear and calm")
    assert len(neutral_description("An old man")) == 10
