import pytest

from harness.exchanges import Observed
from harness.speech import Operation, VoiceKind
from replay.picking.strata import Stratum, stratum_of, traits_of
from tests.builders import a_capture, a_request, a_voice


def test_a_stratum_is_operation_language_length_and_voice() -> None:
    assert stratum_of(a_capture()) == Stratum("generate", "en", "to 20", "preset Cherry")


def test_an_unknown_language_is_a_kind_of_its_own_and_a_clone_is_as_long_as_its_probe() -> None:
    capture = a_capture(request=a_request("", operation=Operation.CLONE, language=None))

    assert stratum_of(capture) == Stratum("clone", "auto", "to 100", "clone voice-anna")


@pytest.mark.parametrize(
    ("text", "length"),
    [("x" * 20, "to 20"), ("x" * 21, "to 50"), ("語" * 25, "to 50"), ("x" * 600, "to 600"), ("x" * 601, "over 600")],
)
def test_length_is_counted_as_it_is_billed(text: str, length: str) -> None:
    assert stratum_of(a_capture(request=a_request(text))).length == length


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("Gate 12", "digits"),
        ("第３章", "digits"),
        ("Really?", "question"),
        ("そうですか？", "question"),
        ("One. Two.", "several sentences"),
        ("This is NASA", "capitals"),
        ("我有一个iPhone", "two scripts"),
        ("Say <break/> it", "markup"),
    ],
)
def test_a_trait_of_the_text_is_seen(text: str, trait: str) -> None:
    assert f"generate: {trait}" in traits_of(a_capture(request=a_request(text)))


def test_traits_of_the_request_are_seen() -> None:
    request = a_request(instructions="Whisper.", stream=True, response_format="mp3", voice=a_voice(VoiceKind.PRESET))
    failed = Observed(provider="modal", status="overloaded", first_byte_s=None, total_s=None, audio_s=None)

    traits = traits_of(a_capture(request=request, observed=failed))

    assert traits == {
        "generate: instructions",
        "generate: stream",
        "generate: another format",
        "generate: failed in production",
    }


def test_a_plain_text_has_no_traits() -> None:
    assert traits_of(a_capture()) == frozenset()
