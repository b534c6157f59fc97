"""Personal data in texts by its form: e-mail addresses, bank accounts, cards, phones and other long numbers.

Names and street addresses have no form and are not found; capture from templates, or sample, where they matter.
What is put in the place of a find is decided in surrogates.py.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from harness.capturing.digits import digits_in, luhn_digit

__all__ = ["Find", "find_personal_data"]


class Find(NamedTuple):
    """One piece of personal data."""

    kind: str  # email, iban, card, phone or number
    start: int
    end: int
    keep: int = 0  # characters at its beginning that name the country of a phone, and stay


# \w is any script's letter: 用户@例子.公司 is an address too.
_EMAIL: Final = re.compile(r"[\w.%+'-]{1,64}[@＠](?:[\w-]{1,63}\.){1,8}[\w-]{2,63}")
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_CARD: Final = re.compile(r"(?<!\d)\d(?:[ \u00a0-]?\d){12,18}(?!\d)")
_LONG: Final = re.compile(r"(?<!\d)\d(?:[ \u00a0-]?\d){8,}(?!\d)")
_SHORT_PHONE: Final = re.compile(r"(?<![\d-])\d{3}[-. ]\d{4}(?![\d-])|(?<![\d-])\d{4}[-. ]\d{4}(?![\d-])")
# Seven digits with no more between them than phones are written with: what is not even that is no phone.
_PHONE_LIKE: Final = re.compile(r"\d(?:[^\w:;,@]{0,4}\d){6,}")
_YEARS: Final = re.compile(r"(?:1[89]|20)\d\d[-. ](?:1[89]|20)\d\d")
_DATE: Final = re.compile(r"(?<!\d)(?:(?:1[89]|20)\d\d-[01]\d-[0-3]\d|[0-3]\d-[0-3]\d-(?:1[89]|20)\d\d)(?!\d)")
# Where a number of a language's speakers is likely to be from; a number with its country code is found anyway.
_REGIONS: Final = MappingProxyType(
    {
        "zh": ("CN", "TW", "HK"),
        "en": ("US", "GB", "IN"),
        "de": ("DE", "AT", "CH"),
        "it": ("IT", "CH"),
        "pt": ("PT", "BR"),
        "es": ("ES", "MX", "AR"),
        "ja": ("JP",),
        "ko": ("KR",),
        "fr": ("FR", "BE", "CH"),
        "ru": ("RU", "KZ"),
    }
)
_ANY_REGION: Final = ("US", "GB", "CN", "DE")
# Letters that tell the language of a text which nobody named.
_SCRIPTS: Final = MappingProxyType(
    {re.compile("[а-яА-Я]"): "ru", re.compile("[ぁ-ヿ]"): "ja", re.compile("[가-힣]"): "ko"}
)


def find_personal_data(text: str, language: str | None) -> list[Find]:
    """What was found, in the order of the text and never overlapping.

    Args:
        text: Any text.
        language: ISO 639-1; decides which countries' phone numbers are known without a country code. Where it is
            None, the letters tell it if they are one language's, and some large countries are tried.
    """
    finds: list[Find] = []
    if "@" in text or "＠" in text:
        finds += _matches("email", _EMAIL, text)
    if _digit_count_reaches(text, 7):
        for search in (_ibans, _cards, lambda words: _phones(words, language), _long_numbers, _short_phones):
            finds += _apart(search(text), finds)
    return sorted(finds, key=lambda find: find.start)


def _digit_count_reaches(text: str, count: int) -> bool:
    """Most texts hold hardly a digit, and are through here."""
    return sum(map(text.count, "0123456789")) >= count or (not text.isascii() and len(digits_in(text)) >= count)


def _apart(found: Iterable[Find], taken: list[Find]) -> list[Find]:
    return [find for find in found if all(find.end <= other.start or find.start >= other.end for other in taken)]


def _matches(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Find]:
    return (Find(kind, match.start(), match.end()) for match in pattern.finditer(text))


def _ibans(text: str) -> Iterator[Find]:
    """Accounts whose check digits are right. A sentence can run on behind one, so shorter ends are tried as well."""
    position = 0
    while match := _IBAN.search(text, position):
        position = match.end()
        for end in range(match.end(), match.start() + 14, -1):
            if text[end - 1].isalnum() and _is_iban(text[match.start() : end]):
                yield Find("iban", match.start(), end)
                position = end
                break


def _is_iban(text: str) -> bool:
    compact = re.sub("[ -]", "", text).upper()
    if not (15 <= len(compact) <= 34 and compact.isascii()):
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def _cards(text: str) -> Iterator[Find]:
    for find in _matches("card", _CARD, text):
        digits = digits_in(text[find.start : find.end])
        if digits[-1] == luhn_digit(digits[:-1]) and any(digits):
            yield find


def _phones(text: str, language: str | None) -> Iterator[Find]:
    """Phones by the rules of one country after another, as long as something like one is left over."""
    found: list[Find] = []
    for region in _regions(text, language):
        if not _apart(_matches("phone", _PHONE_LIKE, text), found):
            break
        for match in _phone_matcher()(text, region):
            found += _apart([Find("phone", match.start, match.end, keep=_kept(match))], found)
    return (find for find in found if not _DATE.search(text, find.start, find.end))


def _regions(text: str, language: str | None) -> tuple[str, ...]:
    known = _REGIONS.get(language or "")
    if known is not None:
        return known
    hinted = (_REGIONS[each] for letters, each in _SCRIPTS.items() if letters.search(text))
    return (*(region for regions in hinted for region in regions), *_ANY_REGION)


def _kept(match: Any) -> int:
    """Characters of the country code, when the number is written with one."""
    code = f"+{match.number.country_code}"
    return len(code) if match.raw_string.startswith(code) else 0


def _phone_matcher() -> Callable[[str, str], Iterable[Any]]:
    import phonenumbers  # a third of a second to load, and most texts hold no number

    return phonenumbers.PhoneNumberMatcher


def _short_phones(text: str) -> Iterator[Find]:
    """Local numbers as 555-0199, but not 2024-2025."""
    for find in _matches("phone", _SHORT_PHONE, text):
        if not _YEARS.fullmatch(text, find.start, find.end):
            yield find


def _long_numbers(text: str) -> Iterator[Find]:
    """What else has nine digits and more: accounts, passports, insurance, mistyped cards."""
    for find in _matches("number", _LONG, text):
        if not _DATE.search(text, find.start, find.end):
            yield find
