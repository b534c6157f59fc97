import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.capturing.digits import digits_in, luhn_digit
from harness.capturing.identities import Pseudonyms
from harness.capturing.pii import find_personal_data
from harness.capturing.surrogates import Masker
from harness.speech import billed_chars

MASKER = Masker(Pseudonyms(b"key"))


def mask(text: str, language: str | None = "en", masker: Masker = MASKER) -> str:
    return masker.mask(text, language).text


def test_a_text_without_personal_data_stays() -> None:
    assert MASKER.mask("Good morning.", "en") == ("Good morning.", {})


def test_finds_are_counted_by_kind() -> None:
    assert MASKER.mask("a@b.example and c@d.example, card 4111 1111 1111 1111", "en").counts == {"email": 2, "card": 1}


@pytest.mark.parametrize(
    "text",
    [
        "Write to anna.mueller+news@mail.example.com today.",
        "用户@例子.公司 请回复",
        "Card 4111 1111 1111 1111 expires",
        "卡号４１１１１１１１１１１１１１１１。",
        "Call +49 30 901820 or 555-0199.",
        "Pay to DE89 3704 0044 0532 0130 00.",
        "Passport 123456789",
    ],
)
def test_length_digit_count_and_bill_stay_and_the_data_go(text: str) -> None:
    masked = mask(text)

    assert masked != text
    assert len(masked) == len(text)
    assert [bool(re.match(r"\d", character)) for character in masked] == [bool(re.match(r"\d", one)) for one in text]
    assert billed_chars(masked) == billed_chars(text)
    for find in find_personal_data(text, "en"):
        assert text[find.start : find.end] not in masked


def test_a_surrogate_card_passes_its_check_and_keeps_its_scheme() -> None:
    digits = digits_in(mask("4111 1111 1111 1111"))

    assert digits[0] == 4
    assert digits[-1] == luhn_digit(digits[:-1])


@pytest.mark.parametrize("iban", ["DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606"])
def test_a_surrogate_account_has_right_check_digits_and_keeps_its_country(iban: str) -> None:
    masked = mask(iban)

    number = int("".join(str(int(character, 36)) for character in masked[4:] + masked[:4]))
    assert number % 97 == 1
    assert masked[:2] == iban[:2]
    assert [character.isdigit() for character in masked] == [character.isdigit() for character in iban]


def test_a_surrogate_phone_keeps_its_country_code() -> None:
    masked = mask("+49 30 901820")

    assert masked.startswith("+49 ")
    assert masked != "+49 30 901820"


def test_a_surrogate_address_keeps_its_shape_and_last_part() -> None:
    masked = mask("Anna.Mueller@mail.example.com")

    assert re.fullmatch(r"[A-Z][a-z]{3}\.[A-Z][a-z]{6}@[a-z]{4}\.[a-z]{7}\.com", masked)


def test_the_same_data_get_the_same_surrogate_however_they_are_spaced() -> None:
    one, other = mask("4111 1111 1111 1111"), mask("4111-1111-1111-1111")

    assert one.replace(" ", "") == other.replace("-", "")
    assert mask("4111 1111 1111 1111") == one


def test_another_key_gives_another_surrogate() -> None:
    other = Masker(Pseudonyms(b"other"))

    assert mask("+49 30 901820") != mask("+49 30 901820", masker=other)


@given(st.lists(st.integers(0, 9), min_size=9, max_size=18), st.sampled_from(["", " ", "-"]))
@settings(deadline=None)
def test_no_long_number_survives(digits: list[int], gap: str) -> None:
    text = f"Number {gap.join(map(str, digits))} here"

    masked = mask(text)

    assert len(masked) == len(text)
    dates = re.compile(r"\d{4}-\d\d-\d\d")
    assert masked != text or dates.search(text)


@given(
    st.text(alphabet=st.sampled_from("0123456789 -+@.abDE\u4e2d\uff13"), max_size=80),
    st.sampled_from(["en", "zh", None]),
)
@settings(deadline=None)
def test_whatever_is_masked_keeps_length_digits_and_bill(text: str, language: str | None) -> None:
    masked = mask(text, language)

    assert (len(masked), billed_chars(masked)) == (len(text), billed_chars(text))
    assert len(digits_in(masked)) == len(digits_in(text))
