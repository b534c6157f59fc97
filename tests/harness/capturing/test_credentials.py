import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capturing.credentials import _ANY, credentials_in, find_credential, matches_rule, may_hold_rule

HEX32 = "0123456789abcdef0123456789abcdef"
MIXED = "aB3dE5gH7jK9mN1pQ3sT"


CASES = [
    (f"key sk-{HEX32}", "a DashScope or OpenAI key"),
    (f"sk-ws-{HEX32}", "a DashScope or OpenAI key"),
    (f"sk-proj-{MIXED}", "a DashScope or OpenAI key"),
    (f"ak-{MIXED}", "a Modal token"),
    (f"Modal-Secret: ws-{MIXED}", "a Modal token"),
    (f"ck-{MIXED}_{MIXED}-x", "a key of our own gateway"),
    ("LTAI5tAbCdEfGhIjKlMnOpQr", "an Alibaba Cloud access key"),
    (
        "http://x.oss-cn-beijing.aliyuncs.com/a.wav?Expires=1&OSSAccessKeyId=LTAI&Signature=abc%2Fdefgh",
        "a signed address",
    ),
    ("https://b.s3.amazonaws.com/a?X-Amz-Signature=0123456789ab", "a signed address"),
    ("Authorization: Bearer abcdefghijklmnop", "a Bearer token"),
    ("Basic dXNlcjpwYXNzd29yZA==", "a Basic authorization"),
    ("AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "a JSON web token"),
    ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123", "a GitHub or Slack token"),
    ("postgres://admin:hunter2@db.internal/x", "a password in an address"),
    (f"the password is {MIXED}", "a word as random as a key"),
    (f"digest {HEX32}", "a word as random as a key"),
]


@pytest.mark.parametrize(("text", "rule"), CASES)
def test_a_credential_is_found_by_its_form_in_the_middle_of_words(text: str, rule: str) -> None:
    assert find_credential(text) == rule
    assert find_credential(f"请读出{text}。") == rule  # no blank stands between words there


@pytest.mark.parametrize(
    "text",
    [
        "Good morning.",
        "Please ask-me anything, sk-8 board, ws-station",
        "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen",
        "antidisestablishmentarianism-and-pneumonoultramicroscopic",
        "550e8400-e29b-41d4-a716-446655440000",
        "The bearer of good news",
        "Basic understanding of mathematics",
        "https://example.com/?q=signature",
        "https://example.com:8443/path",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 1111111111111111111111",
        "我想听一首歌，请你唱给我听好吗？",
    ],
)
def test_plain_words_are_no_credentials(text: str) -> None:
    assert find_credential(text) is None


def test_hashes_break_no_rule_where_hashes_belong() -> None:
    assert matches_rule(f"hmac:{HEX32}") is None
    assert matches_rule(HEX32 * 2) is None


def test_a_random_key_of_unknown_make_is_found_nearly_always() -> None:
    dice = random.Random(7)
    alphabet = string.ascii_letters + string.digits

    missed = sum(find_credential("".join(dice.choices(alphabet, k=32))) is None for _ in range(2_000))

    assert missed <= 20  # 1 %: a draw without a digit, or with too few different letters


@given(st.text(alphabet=st.sampled_from("skawLTI5eyJ-.?&=/:@BerASx_ghopBa \n0123456789abcdefXYZ"), max_size=80))
def test_the_quick_look_never_passes_over_what_a_rule_finds(text: str) -> None:
    assert _ANY.search(text) is None or may_hold_rule(text)


@pytest.mark.parametrize(("text", "rule"), CASES)
def test_the_quick_look_sees_an_example_of_every_rule(text: str, rule: str) -> None:
    assert may_hold_rule(text) or rule == "a word as random as a key"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param(f"a sk-{HEX32}, b", [f"sk-{HEX32}"], id="a key alone"),
        pytest.param(f"Authorization: Bearer sk-{HEX32}\\r\\n", [f"sk-{HEX32}"], id="without the word before it"),
        pytest.param(f"?Expires=1&Signature={MIXED}%3D&x=1", [f"{MIXED}%3D"], id="without the name before it"),
        pytest.param(f"ak-{MIXED} as-{MIXED}/x+y=", [f"ak-{MIXED}", f"as-{MIXED}/x+y="], id="all of them, whole"),
        pytest.param("'Authorization': 'Bearer TOKEN'", [], id="a word too short to be one"),
        pytest.param("Good morning.", [], id="none"),
    ],
)
def test_every_credential_is_told_by_its_value_to_the_end_of_its_word(text: str, values: list[str]) -> None:
    assert [found.value for found in credentials_in(text)] == values


@given(st.text(alphabet=st.sampled_from("skawLTI5eyJ-.?&=/:@BerASx_ghopBa \n0123456789abcdefXYZ"), max_size=80))
def test_looking_for_all_of_them_always_ends_and_tells_none_where_no_rule_is_broken(text: str) -> None:
    found = list(credentials_in(text))

    assert matches_rule(text) or not found
