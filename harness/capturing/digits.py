"""Digits in any script: ASCII, full-width, Arabic and the rest, changed without leaving their script."""

import unicodedata
from collections.abc import Callable, Iterator

__all__ = ["DigitStream", "digit_of", "digits_in", "luhn_digit", "with_digits"]


def digit_of(character: str) -> int | None:
    """0 to 9; None when it is no decimal digit."""
    return unicodedata.decimal(character, None) if character > "\x7f" else _ASCII.get(character)


_ASCII = {str(value): value for value in range(10)}


def digits_in(text: str) -> list[int]:
    """The digits of a text in order."""
    return [value for character in text if (value := digit_of(character)) is not None]


def with_digits(text: str, digits: list[int]) -> str:
    """The text with its digits replaced one by one; every other character stays."""
    new = iter(digits)
    return "".join(
        character if (old := digit_of(character)) is None else chr(ord(character) - old + next(new))
        for character in text
    )


def luhn_digit(payload: list[int]) -> int:
    """The last digit that makes a card number of `payload` (ISO/IEC 7812-1)."""
    total = sum(
        sum(divmod(2 * digit, 10)) if place % 2 == 0 else digit for place, digit in enumerate(reversed(payload))
    )
    return -total % 10


class DigitStream:
    """Endless digits that depend on a key and a text alone."""

    def __init__(self, digest: Callable[[str, str], str], kind: str, text: str) -> None:
        """Draw from `digest(kind, text)`, a keyed hash in hexadecimal digits."""
        self._numbers = self._draw(digest, kind, text)

    @staticmethod
    def _draw(digest: Callable[[str, str], str], kind: str, text: str) -> Iterator[int]:
        turn = 0
        while True:
            yield from bytes.fromhex(digest(f"{kind}/{turn}", text))
            turn += 1

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1, every one equally likely."""
        fair = 256 - 256 % limit
        return next(number for number in self._numbers if number < fair) % limit
