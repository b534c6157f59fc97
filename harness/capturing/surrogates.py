"""Stand-ins for personal data: of the same length, with the same digit count, and the same one every time.

Speech and bill stay alike: digits become digits, vowels vowels, Han Han. A card still passes its check, an account
still has right check digits. Without the key nothing leads back.
"""

import re
from collections import Counter
from typing import Final, NamedTuple

from harness.capturing.digits import DigitStream, digit_of, digits_in, luhn_digit, with_digits
from harness.capturing.identities import Pseudonyms
from harness.capturing.pii import Find, find_personal_data

__all__ = ["Masked", "Masker"]

_VOWELS: Final = "aeiou"
_CONSONANTS: Final = "bcdfghklmnprstvw"
_HAN: Final = "天地山水日月木火土金大小上中下左右春夏秋冬"

_NOTHING: Final[Counter[str]] = Counter()


class Masked(NamedTuple):
    """A text without personal data."""

    text: str
    counts: Counter[str]  # kind → how many were replaced


class Masker:
    """Replaces personal data by surrogates."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._digest = pseudonyms.digest

    def mask(self, text: str, language: str | None) -> Masked:
        """The text with a surrogate for everything that was found; length and digit count stay."""
        finds = find_personal_data(text, language)
        if not finds:
            return Masked(text, _NOTHING)
        parts: list[str] = []
        position = 0
        for find in finds:
            parts += [text[position : find.start], self._surrogate(text[find.start : find.end], find)]
            position = find.end
        return Masked("".join(parts) + text[position:], Counter(find.kind for find in finds))

    def _surrogate(self, original: str, find: Find) -> str:
        """Drawn again in the rare case that the draw hits the original."""
        make = {"email": self._email, "iban": self._iban, "card": self._card}.get(find.kind, self._number)
        for turn in range(100):
            surrogate = make(original, find, turn)
            if surrogate != original:
                return surrogate
        raise AssertionError("a hundred draws in a row cannot hit one number")

    def _stream(self, kind: str, original: str, turn: int) -> DigitStream:
        """Numbers that depend on the digits and letters only, so that spacing makes no other person."""
        return DigitStream(self._digest, f"surrogate/{kind}/{turn}", re.sub(r"[\W_]", "", original).lower())

    def _number(self, original: str, find: Find, turn: int) -> str:
        """Every digit but those of the country code and a leading zero is drawn anew."""
        stream, rest = self._stream(find.kind, original, turn), original[find.keep :]
        old = digits_in(rest)
        new = [0 if place == 0 and digit == 0 else stream.below(10) for place, digit in enumerate(old)]
        if old and old[0] and not new[0]:
            new[0] = 1 + stream.below(9)
        return original[: find.keep] + with_digits(rest, new)

    def _card(self, original: str, find: Find, turn: int) -> str:
        """The first digit, which names the scheme, stays."""
        stream, old = self._stream(find.kind, original, turn), digits_in(original)
        payload = [old[0], *(stream.below(10) for _ in old[1:-1])]
        return with_digits(original, [*payload, luhn_digit(payload)])

    def _iban(self, original: str, find: Find, turn: int) -> str:
        """Country and shape stay; the account is drawn, the check digits follow (ISO 13616)."""
        stream = self._stream(find.kind, original, turn)
        places = [place for place, character in enumerate(original) if character.isalnum()]
        characters = list(original)
        for place in places[4:]:
            characters[place] = _alike(characters[place], stream)
        account = "".join(characters[place] for place in places[4:])
        country = "".join(characters[place] for place in places[:2])
        number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
        for place, digit in zip(places[2:4], f"{98 - number % 97:02}", strict=True):
            characters[place] = digit
        return "".join(characters)

    def _email(self, original: str, find: Find, turn: int) -> str:
        """Everything but the last part of the domain, which says nothing of a person."""
        stream = self._stream(find.kind, original, turn)
        name, dot, last = original.rpartition(".")
        return "".join(_alike(character, stream) for character in name) + dot + last


def _alike(character: str, stream: DigitStream) -> str:
    """Another character of the same kind; marks such as @ and . stay."""
    digit = digit_of(character)
    if digit is not None:
        return chr(ord(character) - digit + stream.below(10))
    if not character.isalpha():
        return character
    if "\u3400" <= character <= "\u9fff":
        return _HAN[stream.below(len(_HAN))]
    letters = _VOWELS if character.lower() in _VOWELS else _CONSONANTS
    letter = letters[stream.below(len(letters))]
    return letter.upper() if character.isupper() else letter
