import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from harness.capturing.identities import MARK, Pseudonyms, is_pseudonym

NAMES = Pseudonyms(b"key")


def test_a_pseudonym_is_the_keyed_hash_of_kind_and_name() -> None:
    expected = hmac.new(b"key", b"user\0anna@example.com", hashlib.sha256).hexdigest()

    assert NAMES.of("user", "anna@example.com") == MARK + expected[:32]


def test_kinds_and_keys_do_not_meet() -> None:
    names = {NAMES.of("user", "anna"), NAMES.of("voice", "anna"), Pseudonyms(b"other").of("user", "anna")}

    assert len(names) == 3


def test_a_pseudonym_stays_what_it_is() -> None:
    once = NAMES.of("user", "anna")

    assert NAMES.of("user", once) == once


@given(st.text(alphabet=st.characters()))
def test_any_text_gets_a_printable_name_that_does_not_hold_it(value: str) -> None:
    pseudonym = NAMES.of("user", value)

    assert pseudonym.isprintable()
    assert len(value) < 8 or value.startswith(MARK) or value not in pseudonym


def test_half_a_character_is_no_trouble() -> None:
    assert NAMES.of("user", "\ud800").startswith(MARK)


def test_a_mark_before_somebodys_own_name_makes_no_pseudonym() -> None:
    for name in (
        "hmac:anna@example.com",
        "hmac:" + "0" * 31,
        "hmac:" + "0" * 33,
        "hmac:" + "G" * 32,
        "HMAC:" + "0" * 32,
    ):
        assert not is_pseudonym(name)
        assert NAMES.of("user", name) != name
    assert is_pseudonym(NAMES.of("user", "anna"))
