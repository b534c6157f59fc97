"""How much of a text was heard otherwise: words in most languages, characters where words are not spaced.

Both texts are brought to one spelling first: compatibility forms and case folded, digits said as words in their
language (num2words; cn2an for Chinese where it is installed), everything but letters and digits dropped. jiwer counts.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from analysis.models.optional import is_there, library

__all__ = ["CHINESE_NUMBERS", "ErrorRate", "error_rate", "normalised"]

_UNSPACED: Final = frozenset({"zh", "ja", "th", "yue"})
_BY_CHARACTERS: Final = _UNSPACED | {"ko"}  # spacing in Korean is a matter of taste (audio.md 5)
_CHINESE: Final = frozenset({"zh", "yue"})
CHINESE_NUMBERS: Final = "cn2an"  # the module; without it they are compared as they are written
_YEAR: Final = re.compile(r"(?<!\d)\d{4}(?=年)")  # said digit by digit
_NUMBER: Final = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_ONE_DIGIT: Final = str.maketrans("两〇", "二零")  # a number has one sign here, whatever it counts
_GROUPED: Final = re.compile(r"(?<=\d)[,\u00a0\u202f'](?=\d{3}(?!\d))")  # 1,000: thousands, not a list


class ErrorRate(NamedTuple):
    """Errors by what was asked for; over 1 when more was heard than said."""

    share: float
    unit: str  # "wer" or "cer"


def error_rate(asked: str, heard: str, language: str | None) -> ErrorRate | None:
    """The share of `asked` that was heard otherwise; None when nothing was asked for.

    Raises:
        UsageError: `jiwer` or `num2words` is not installed.
    """
    unit = "cer" if _is_by_characters(asked, language) else "wer"
    reference, hypothesis = (normalised(text, language) for text in (asked, heard))
    if unit == "cer":
        reference, hypothesis = reference.replace(" ", ""), hypothesis.replace(" ", "")
    if not reference:
        return None
    jiwer = library("jiwer", extra="intelligibility")
    share = jiwer.cer(reference, hypothesis) if unit == "cer" else jiwer.wer(reference, hypothesis)
    return ErrorRate(float(share), unit)


def _is_by_characters(text: str, language: str | None) -> bool:
    """By the language, or where none is told by the writing: mostly Han, kana or Hangul."""
    if language is not None:
        return language in _BY_CHARACTERS
    letters = [char for char in text if char.isalpha()]
    names = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
    return 2 * sum(unicodedata.name(char, "").startswith(names) for char in letters) > len(letters)


def normalised(text: str, language: str | None) -> str:
    """A text as it is compared: lower case, numbers in words, letters and digits only, single spaces.

    Raises:
        UsageError: `num2words` is not installed.
    """
    ungrouped = _GROUPED.sub("", text)  # before narrow spaces become plain ones
    folded = unicodedata.normalize("NFKC", ungrouped).casefold()
    if language in _CHINESE and is_there(CHINESE_NUMBERS):
        folded = _YEAR.sub(lambda match: "".join(_in_words(digit, language) for digit in match[0]), folded)
        folded = folded.translate(_ONE_DIGIT)
    spoken = _NUMBER.sub(lambda match: f" {_in_words(match[0], language)} ", folded)
    # An apostrophe is dropped without a gap: "don't" and "dont" are one word.
    joined = re.sub(r"(?<=\w)['’](?=\w)", "", unicodedata.normalize("NFKC", spoken).casefold())
    kept = (char if unicodedata.category(char)[0] in "LNM" else " " for char in joined)
    return " ".join("".join(kept).split())


def _in_words(number: str, language: str | None) -> str:
    """A number as it is said; as it is written where the library does not know the language."""
    if number.startswith("0") and number.isdigit() and len(number) > 1:  # 007 is said digit by digit
        return " ".join(_in_words(digit, language) for digit in number)
    if language in _CHINESE:
        if not is_there(CHINESE_NUMBERS):
            return number
        return str(library(CHINESE_NUMBERS, extra="intelligibility").an2cn(number))
    num2words = library("num2words", extra="intelligibility")
    try:
        said: str = num2words.num2words(float(number) if "." in number else int(number), lang=language or "en")
    except (NotImplementedError, OverflowError, ValueError, KeyError, IndexError):
        return number
    return said
