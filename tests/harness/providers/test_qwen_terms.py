import pytest

from harness.config import QwenSettings
from harness.errors import ErrorKind
from harness.providers.qwen_terms import language_name, model_for, objection_to, preset_name
from harness.speech import LANGUAGES, Operation, SpeechRequest, VoiceKind
from tests.builders import a_request, a_voice

SETTINGS = QwenSettings()


@pytest.mark.parametrize(
    ("request_", "model"),
    [
        pytest.param(a_request(), "qwen3-tts-flash", id="preset"),
        pytest.param(a_request(instructions="whisper"), "qwen3-tts-instruct-flash", id="preset with instructions"),
        pytest.param(a_request(voice=a_voice(VoiceKind.CLONE)), "qwen3-tts-vc-2026-01-22", id="cloned voice"),
        pytest.param(a_request(voice=a_voice(VoiceKind.DESIGN)), "qwen3-tts-vd-2026-01-26", id="designed voice"),
        pytest.param(a_request("", operation=Operation.CLONE), "qwen3-tts-vc-2026-01-22", id="clone"),
        pytest.param(a_request(operation=Operation.DESIGN), "qwen-voice-design", id="design"),
    ],
)
def test_each_kind_of_request_has_its_model(request_: SpeechRequest, model: str) -> None:
    assert model_for(request_, SETTINGS) == model


def test_languages_are_named_in_full_and_none_is_auto() -> None:
    assert [language_name(each) for each in (*LANGUAGES, None)] == [*LANGUAGES.values(), "Auto"]


@pytest.mark.parametrize(("name", "hosted"), [("Ono_Anna", "Ono Anna"), ("Ono Anna", "Ono Anna"), ("Cherry", "Cherry")])
def test_a_preset_is_spelled_as_the_hosted_models_spell_it(name: str, hosted: str) -> None:
    assert preset_name(a_voice(id=name)) == hosted


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(a_request("x" * 600), id="as long as allowed"),
        pytest.param(a_request(language=None), id="no language"),
        pytest.param(a_request("", operation=Operation.CLONE), id="clone, whose text is a probe"),
        pytest.param(a_request("x" * 1024, operation=Operation.DESIGN), id="longest preview"),
        pytest.param(a_request(instructions="whisper"), id="instructions for a preset"),
    ],
)
def test_what_qwen_can_do_is_not_objected_to(request_: SpeechRequest) -> None:
    assert objection_to(request_, SETTINGS) is None


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(a_request("x" * 601), "text_too_long", id="too long"),
        pytest.param(a_request("x" * 1025, operation=Operation.DESIGN), "text_too_long", id="preview too long"),
        pytest.param(a_request(language="nl"), "language", id="another language"),
        pytest.param(a_request(" \n"), "no_text", id="only blanks"),
        pytest.param(
            a_request(instructions="whisper", voice=a_voice(VoiceKind.CLONE)), "instructions", id="cloned voice"
        ),
        pytest.param(
            a_request(instructions="whisper", operation=Operation.DESIGN), "instructions", id="design with instructions"
        ),
        pytest.param(
            a_request(operation=Operation.DESIGN, voice=a_voice(VoiceKind.DESIGN, description=None)),
            "no_description",
            id="nothing to design from",
        ),
        pytest.param(
            a_request(operation=Operation.DESIGN, voice=a_voice(VoiceKind.DESIGN, description="x" * 2049)),
            "description_too_long",
            id="long description",
        ),
        pytest.param(
            a_request("", operation=Operation.CLONE, voice=a_voice(VoiceKind.CLONE, reference=None)),
            "no_reference",
            id="nothing to clone",
        ),
    ],
)
def test_what_qwen_cannot_express_is_told_before_it_costs_anything(request_: SpeechRequest, code: str) -> None:
    objection = objection_to(request_, SETTINGS)

    assert objection is not None
    assert (objection.kind, objection.code) == (ErrorKind.UNSUPPORTED, f"local.{code}")


def test_the_longest_text_is_a_setting() -> None:
    assert objection_to(a_request("x" * 601), QwenSettings(max_chars=1000)) is None
