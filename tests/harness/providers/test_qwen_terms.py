import pytest

from harness.config import QwenDelivery, QwenSettings
from harness.errors import ErrorKind
from harness.providers.qwen_terms import language_name, model_for, objection_to, preset_name, written_language
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
        pytest.param(a_request(voice=a_voice(id="Uncle_Fu")), "preset", id="a voice of the open model alone"),
        pytest.param(a_request(voice=a_voice(id="alloy")), "preset", id="a voice of somebody else"),
        pytest.param(
            a_request(voice=a_voice(id="Jennifer"), instructions="whisper"), "preset", id="a voice without instructions"
        ),
        pytest.param(
            a_request(operation=Operation.DESIGN, voice=a_voice(VoiceKind.DESIGN, description="Спокойный голос")),
            "description_language",
            id="description in Russian",
        ),
    ],
)
def test_what_qwen_cannot_express_is_told_before_it_costs_anything(request_: SpeechRequest, code: str) -> None:
    objection = objection_to(request_, SETTINGS)

    assert objection is not None
    assert (objection.kind, objection.code) == (ErrorKind.UNSUPPORTED, f"local.{code}")


def test_the_longest_text_is_a_setting() -> None:
    assert objection_to(a_request("x" * 601), QwenSettings(max_chars=1000)) is None


def test_a_voice_that_is_new_is_a_setting() -> None:
    request = a_request(voice=a_voice(id="Zoe"))

    assert objection_to(request, QwenSettings(more_voices="Max, Zoe")) is None
    assert objection_to(request, QwenSettings(generate_model="qwen4-tts-flash")) is None  # whose voices nobody listed


@pytest.mark.parametrize(
    ("settings", "request_", "words"),
    [
        pytest.param(
            {"clone_model": "qwen3-tts-vd-2026-01-26"},
            a_request(voice=a_voice(VoiceKind.CLONE)),
            "qwen3-tts-vd-2026-01-26 speaks with designed voices, not with cloned ones; CUTOVER_QWEN__CLONE_MODEL",
            id="clone through a design model",
        ),
        pytest.param(
            {"design_model": "qwen3-tts-flash"},
            a_request(operation=Operation.DESIGN),
            "CUTOVER_QWEN__DESIGN_MODEL",
            id="design for a system model",
        ),
        pytest.param(
            {"generate_model": "qwen3-tts-vc-2026-01-22"},
            a_request(),
            "CUTOVER_QWEN__GENERATE_MODEL",
            id="preset through a clone model",
        ),
        pytest.param(
            {"instruct_model": "qwen3-tts-vc-2026-01-22"},
            a_request(instructions="whisper"),
            "CUTOVER_QWEN__INSTRUCT_MODEL",
            id="instructions to a clone model",
        ),
        pytest.param(
            {"generate_model": "qwen3-tts-flash-realtime"},
            a_request(),
            "does not go with delivery as_captured",
            id="a realtime model over HTTP",
        ),
        pytest.param(
            {"delivery": "realtime", "clone_model": "qwen3-tts-vc-2026-01-22"},
            a_request("", operation=Operation.CLONE),
            "does not go with delivery realtime",
            id="an HTTP model over a WebSocket",
        ),
    ],
)
def test_a_model_that_cannot_speak_with_such_a_voice_is_told_before_it_costs_anything(
    settings: dict[str, str], request_: SpeechRequest, words: str
) -> None:
    objection = objection_to(request_, QwenSettings.model_validate(settings))

    assert objection is not None
    assert objection.code == "local.model"
    assert words in objection.detail


@pytest.mark.parametrize("delivery", list(QwenDelivery))
@pytest.mark.parametrize("kind", list(VoiceKind))
def test_the_models_that_come_with_a_delivery_speak_with_every_kind_of_voice(
    delivery: QwenDelivery, kind: VoiceKind
) -> None:
    settings = QwenSettings.model_validate({"delivery": delivery})

    assert objection_to(a_request(voice=a_voice(kind)), settings) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("今天天气很好。", "zh"),
        ("今日は天気がいい。", "ja"),
        ("カメラ", "ja"),
        ("오늘은 날씨가", "ko"),
        ("Сегодня", "ru"),
        ("Das Wetter ist schön.", "en"),
        ("42!", "en"),
        ("", "en"),
    ],
)
def test_the_script_tells_the_language_of_a_text_as_far_as_it_can(text: str, language: str) -> None:
    assert written_language(text) == language
