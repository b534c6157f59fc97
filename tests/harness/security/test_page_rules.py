import ast

import pytest

from harness.security.page_rules import raw_markup, words_read_as_markup

PAGE = "import streamlit as st\n"


@pytest.mark.parametrize(
    "source",
    [
        "st.markdown(words, unsafe_allow_html=True)",
        "st.markdown(words, unsafe_allow_html=flag)",
        "st.html('<b>')",
        "st.iframe(url)",
        "st.components.v1.html(words)",
        "st.components.v1.iframe(url)",
        "components.html(words)",
    ],
)
def test_raw_markup_is_seen(source: str) -> None:
    assert list(raw_markup(ast.parse(PAGE + source)))


def test_markup_switched_off_and_other_packages_are_fine() -> None:
    assert list(raw_markup(ast.parse(PAGE + "st.markdown('x', unsafe_allow_html=False)"))) == []
    assert list(raw_markup(ast.parse("st.html('<b>')"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "st.markdown(row['text'])",
        "st.write(capture.text)",
        "st.caption(f\"said: {pair['text']}\")",
        "st.error(failure.detail)",
        "st.subheader(row['voice_id'])",
        "left.badge(row['provider_code'])",
        "st.expander(f'{request.instructions}')",
        "st.metric('x', row['reason'])",
        "st.button(label=row['description'])",
        "st.caption(pair[f'{lane}_detail'])",
        "st.info(st.query_params['run'])",
    ],
)
def test_words_from_outside_are_seen_where_markdown_is_read(source: str) -> None:
    assert list(words_read_as_markup(ast.parse(PAGE + source)))


@pytest.mark.parametrize(
    "source",
    [
        "st.text(row['text'])",
        "st.code(row['detail'])",
        "st.dataframe(rows)",
        "st.caption(f'{count:,} pairs')",
        "st.subheader('How they differ')",
        "st.caption(_WORDS)",
    ],
)
def test_words_from_outside_are_fine_as_text_and_own_words_anywhere(source: str) -> None:
    assert list(words_read_as_markup(ast.parse(PAGE + source))) == []
