import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.capturing.pii import find_personal_data


def found(text: str, language: str | None = "en") -> list[tuple[str, str]]:
    return [(find.kind, text[find.start : find.end]) for find in find_personal_data(text, language)]


@pytest.mark.parametrize(
    ("text", "kind", "find"),
    [
        ("Write to anna.mueller+news@mail.example.com today.", "email", "anna.mueller+news@mail.example.com"),
        ("用户@例子.公司 请回复", "email", "用户@例子.公司"),
        ("Pay to DE89 3704 0044 0532 0130 00 please.", "iban", "DE89 3704 0044 0532 0130 00"),
        ("IBAN GB82WEST12345698765432.", "iban", "GB82WEST12345698765432"),
        ("NL91 ABNA 0417 1643 00 and then 5 more", "iban", "NL91 ABNA 0417 1643 00"),
        ("Card 4111 1111 1111 1111 expires", "card", "4111 1111 1111 1111"),
        ("Card 5500-0055-5555-5559.", "card", "5500-0055-5555-5559"),
        ("卡号４１１１１１１１１１１１１１１１。", "card", "４１１１１１１１１１１１１１１１"),
        ("Call +49 30 901820 now", "phone", "+49 30 901820"),
        ("Call (212) 555-0187 now", "phone", "(212) 555-0187"),
        ("Call 555-0199.", "phone", "555-0199"),
        ("Passport 123456789 was lost", "number", "123456789"),
        ("Mistyped card 4111 1111 1111 1112", "number", "4111 1111 1111 1112"),
    ],
)
def test_personal_data_are_found_by_their_form(text: str, kind: str, find: str) -> None:
    assert (kind, find) in found(text)


@pytest.mark.parametrize(
    ("text", "language", "find"),
    [
        ("Rufen Sie 030 901820 an", "de", "030 901820"),
        ("请拨打13812345678", "zh", "13812345678"),
        ("お電話は03-1234-5678まで", "ja", "03-1234-5678"),
        ("Appelez le 01 42 68 53 00", "fr", "01 42 68 53 00"),
        ("Звоните 8 (495) 123-45-67", "ru", "(495) 123-45-67"),
        ("Llame al 912 345 678", "es", "912 345 678"),
        ("Call 020 7946 0018", None, "020 7946 0018"),
        ("Звоните 8 (495) 123-45-67", None, "(495) 123-45-67"),
        ("お電話は0276-72-1234まで", None, "0276-72-1234"),
        ("전화 주세요 02-312-3456", None, "02-312-3456"),
    ],
)
def test_a_number_without_country_code_is_known_by_the_language_or_the_letters(
    text: str, language: str | None, find: str
) -> None:
    spans = " ".join(span for _, span in found(text, language))

    assert find in spans


@pytest.mark.parametrize(
    "text",
    [
        "Good morning.",
        "It is 10:15 on 2026-11-23.",
        "From 2024-2025 we sold 1,250,000 pieces.",
        "Chapter 12 has 345 pages and 6 pictures.",
        "Version 3.11.7, room 404, gate B12.",
        "On 2026-11-23 10 people came.",
        "Twitter: @anna, price: 5 @ 3",
        "DE12 is not an account.",
    ],
)
def test_what_only_looks_a_little_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_finds_come_in_order_and_never_overlap() -> None:
    text = "Anna: 4111 1111 1111 1111, +1 212 555 0187, a@b.example, DE89370400440532013000"

    finds = find_personal_data(text, "en")

    assert [find.kind for find in finds] == ["card", "phone", "email", "iban"]
    assert all(one.end <= other.start for one, other in pairwise(finds))


@given(st.text(alphabet=st.sampled_from("0123456789 -+()@.aDE\u0663\uff13"), max_size=120))
@settings(deadline=None)
def test_any_mix_of_digits_and_marks_gives_finds_inside_the_text(text: str) -> None:
    finds = find_personal_data(text, None)

    assert all(0 <= find.start < find.end <= len(text) for find in finds)
    assert all(one.end <= other.start for one, other in pairwise(finds))


@pytest.mark.parametrize("piece", ["a", "a@", "1 ", "DE12 ", "1-", "a.b@c.", "+1"])
def test_a_long_text_made_to_hurt_is_done_in_reasonable_time(piece: str) -> None:
    text = piece * (30_000 // len(piece))

    began_s = time.process_time()
    find_personal_data(text, "en")

    assert time.process_time() - began_s < 5
