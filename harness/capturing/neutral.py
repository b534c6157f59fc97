"""Sentences that say nothing of anybody, in the place of words that are to be dropped: same language, same length."""

from types import MappingProxyType
from typing import Final

from harness.speech import PROBE_TEXTS

__all__ = ["neutral_description", "neutral_text"]

_DESCRIPTION: Final = "A clear and calm voice of medium pitch that speaks at an even pace."
# A script's first and last letter → the language whose sentence stands in; the first that occurs counts.
_SCRIPTS: Final = MappingProxyType(
    {"ja": ("\u3041", "\u30ff"), "ko": ("\uac00", "\ud7a3"), "zh": ("\u4e00", "\u9fff"), "ru": ("\u0400", "\u04ff")}
)


def neutral_text(text: str, language: str | None) -> str:
    """As many characters of a sentence in the same language; where that is unknown, in the same script."""
    known = language if language is not None and language in PROBE_TEXTS else _guessed(text)
    return _cut(PROBE_TEXTS[known], len(text))


def neutral_description(text: str) -> str:
    """As many characters that describe a voice, or how to speak."""
    return _cut(_DESCRIPTION, len(text))


def _guessed(text: str) -> str:
    for language, (first, last) in _SCRIPTS.items():
        if any(first <= character <= last for character in text):
            return language
    return "en"


def _cut(sentence: str, length: int) -> str:
    gap = "" if sentence.endswith("。") else " "
    repeated = (sentence + gap) * (length // len(sentence) + 1)
    cut = repeated[:length]
    return cut[:-1] + "." if cut.endswith(" ") else cut
