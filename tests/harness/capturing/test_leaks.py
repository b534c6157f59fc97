import pytest

from harness.capturing.leaks import WORDS, Leak, first_leak, leak_in
from harness.exchanges import Capture, Consent
from harness.speech import Reference
from tests.builders import a_capture, a_request, a_voice

KEY = "sk-0123456789abcdef0123456789abcdef"


def test_a_clean_capture_passes_with_all_its_hashes() -> None:
    voice = a_voice(id="hmac:" + "0123456789abcdef" * 2)

    assert (
        first_leak(a_capture("0123456789abcdef01234567", request=a_request(voice=voice), user_key="hmac:" + "ab01" * 8))
        is None
    )


@pytest.mark.parametrize(
    ("capture", "field"),
    [
        pytest.param(a_capture(request=a_request(f"read {KEY}")), "text", id="text"),
        pytest.param(a_capture(request=a_request(f"read\n{KEY}")), "text", id="text behind a line break"),
        pytest.param(a_capture(request=a_request(instructions=KEY)), "instructions", id="instructions"),
        pytest.param(a_capture(request=a_request(voice=a_voice(id=KEY))), "voice.id", id="voice"),
        pytest.param(a_capture(user_key=KEY), "user_key", id="user"),
        pytest.param(
            a_capture(request=a_request(voice=a_voice(reference=Reference(sha256="a" * 64, transcript=KEY)))),
            "voice.reference.transcript",
            id="transcript",
        ),
        pytest.param(a_capture(request=a_request(voice=a_voice(description=KEY))), "voice.description", id="design"),
        pytest.param(a_capture(session=KEY), "session", id="session"),
        pytest.param(a_capture(segment=KEY), "segment", id="segment"),
        pytest.param(
            a_capture(consent=Consent(scope=("replay",), region=None, expires_at=None, evidence=KEY)),
            "consent.evidence",
            id="consent",
        ),
    ],
)
def test_a_credential_is_found_in_every_field(capture: Capture, field: str) -> None:
    assert first_leak(capture) == Leak(field, "a DashScope or OpenAI key")


def test_randomness_counts_in_words_only() -> None:
    random_word = "aB3dE5gH7jK9mN1pQ3sT"

    assert first_leak(a_capture(request=a_request(random_word))) == Leak("text", "a word as random as a key")
    assert first_leak(a_capture(session=random_word)) is None


def test_a_field_alone_is_judged_like_the_field_of_a_capture() -> None:
    assert leak_in("text", KEY) == Leak("text", "a DashScope or OpenAI key")
    assert leak_in("some.new.field", KEY) is not None
    assert leak_in("text", "sk-") is None
    assert "text" in WORDS
