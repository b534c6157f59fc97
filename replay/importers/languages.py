"""A language as callers spell it, as the ISO 639-1 code that captures hold."""

from functools import lru_cache
from types import MappingProxyType
from typing import Final

from harness.speech import LANGUAGES
from replay.importers.records import Unusable

__all__ = ["iso_code"]

_GUESS: Final = frozenset({"", "auto", "none", "null", "und"})
_NAMES: Final = MappingProxyType({name.lower(): code for code, name in LANGUAGES.items()})
# ISO 639-2, both the terminological and the bibliographic code where they differ; Mandarin by its own.
_THREE_LETTERS: Final = MappingProxyType(
    {
        "zho": "zh",
        "chi": "zh",
        "cmn": "zh",
        "eng": "en",
        "deu": "de",
        "ger": "de",
        "ita": "it",
        "por": "pt",
        "spa": "es",
        "jpn": "ja",
        "kor": "ko",
        "fra": "fr",
        "fre": "fr",
        "rus": "ru",
    }
)


@lru_cache(maxsize=256)
def iso_code(value: str | None) -> str | None:
    """`en` for "en", "en-US", "EN_us", "eng" and "English"; None for "auto" and nothing.

    Raises:
        Unusable: It is none of the ten languages that both providers speak.
    """
    spelled = (value or "").strip().lower()
    if spelled in _GUESS:
        return None
    base = spelled.replace("_", "-").partition("-")[0]
    for code in (_NAMES.get(spelled), base if base in LANGUAGES else None, _THREE_LETTERS.get(base)):
        if code:
            return code
    raise Unusable(f"the language is none of {', '.join(LANGUAGES)}")
