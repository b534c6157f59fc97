from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capturing.digits import DigitStream, digit_of, digits_in, luhn_digit, with_digits
from harness.capturing.identities import Pseudonyms


@pytest.mark.parametrize(
    ("character", "value"), [("7", 7), ("７", 7), ("٧", 7), ("७", 7), ("a", None), ("²", None), ("七", None)]
)
def test_decimal_digits_of_every_script_are_known(character: str, value: int | None) -> None:
    assert digit_of(character) == value


def test_digits_are_changed_without_leaving_their_script() -> None:
    assert with_digits("+49 (0) ３٠", [1, 2, 0, 9, 5]) == "+12 (0) ９٥"


@given(st.text(max_size=60))
def test_the_same_digits_give_the_same_text(text: str) -> None:
    assert with_digits(text, digits_in(text)) == text


@pytest.mark.parametrize("card", ["4111111111111111", "5500005555555559", "378282246310005", "6011000990139424"])
def test_the_last_digit_of_a_card_follows_from_the_others(card: str) -> None:
    assert luhn_digit(digits_in(card[:-1])) == int(card[-1])


def test_a_stream_depends_on_key_kind_and_text_alone() -> None:
    def drawn(key: bytes, kind: str, text: str) -> list[int]:
        stream = DigitStream(Pseudonyms(key).digest, kind, text)
        return [stream.below(10) for _ in range(50)]

    assert drawn(b"k", "phone", "1") == drawn(b"k", "phone", "1")
    assert (
        len(
            {
                tuple(drawn(*arguments))
                for arguments in ((b"k", "a", "1"), (b"k", "a", "2"), (b"k", "b", "1"), (b"x", "a", "1"))
            }
        )
        == 4
    )


def test_every_digit_is_equally_likely() -> None:
    stream = DigitStream(Pseudonyms(b"k").digest, "x", "y")

    counts = Counter(stream.below(10) for _ in range(20_000))

    assert set(counts) == set(range(10))
    assert max(counts.values()) - min(counts.values()) < 300  # 6 standard deviations of 42
