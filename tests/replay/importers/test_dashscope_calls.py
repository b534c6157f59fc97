from typing import Any

import pytest

from replay.importers.dashscope_calls import customization, synthesis
from replay.importers.records import Skipped, Unusable
from replay.importers.voice_book import VoiceBook
from tests.traffic import a_reply, a_wav, an_exchange, b64

VOICE = "qwen-tts-vc-anna-voice-20260301120000123-ab12"


def a_synthesis(model: str = "qwen3-tts-flash", **wish: Any) -> dict[str, Any]:
    return {"model": model, "input": {"text": "Hi.", "voice": "Cherry", "language_type": "English"} | wish}


def an_enrolment(**wish: Any) -> dict[str, Any]:
    audio = {"data": f"data:audio/wav;base64,{b64(a_wav())}"}
    create = {"action": "create", "preferred_name": "anna", "audio": audio, "text": "Hello.", "language": "en"}
    return {"model": "qwen-voice-enrollment", "input": create | wish}


def a_design(**wish: Any) -> dict[str, Any]:
    create = {"action": "create", "voice_prompt": "A calm narrator.", "preview_text": "Welcome.", "language": "en"}
    return {
        "model": "qwen-voice-design",
        "input": create | wish,
        "parameters": {"sample_rate": 48_000, "response_format": "mp3"},
    }


def test_a_synthesis_is_a_generate_with_its_language_by_name() -> None:
    call = synthesis(an_exchange(a_synthesis(instructions="Whisper."), wants_sse=True), VoiceBook())

    assert (call.operation, call.text, call.language) == ("generate", "Hi.", "en")
    assert (call.voice_kind, call.voice_id, call.instructions, call.stream) == ("preset", "Cherry", "Whisper.", True)


def test_instructions_may_stand_among_the_parameters() -> None:
    body = a_synthesis() | {"parameters": {"instructions": "Whisper."}}

    assert synthesis(an_exchange(body), VoiceBook()).instructions == "Whisper."


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("qwen3-tts-vc-2026-01-22", "clone"),
        ("qwen3-tts-vd-2026-01-26", "design"),
        ("qwen3-tts-instruct-flash", "preset"),
    ],
)
def test_the_model_tells_the_kind_of_voice(model: str, kind: str) -> None:
    assert synthesis(an_exchange(a_synthesis(model)), VoiceBook()).voice_kind == kind


def test_a_clone_tells_later_calls_what_its_voice_was_made_from() -> None:
    book = VoiceBook()
    reply = a_reply({"output": {"voice": VOICE, "target_model": "qwen3-tts-vc-2026-01-22"}})

    made = customization(an_exchange(an_enrolment(), reply=reply), book)
    spoken = synthesis(an_exchange(a_synthesis("qwen3-tts-vc-2026-01-22", voice=VOICE)), book)

    assert (made.operation, made.text, made.voice_id, made.transcript) == ("clone", "", VOICE, "Hello.")
    assert made.observed is not None
    assert made.observed["status"] == "ok"
    assert spoken.recording is not None
    assert made.recording is not None
    assert (spoken.voice_kind, spoken.recording.sha256) == ("clone", made.recording.sha256)


def test_a_clone_without_an_answer_goes_by_the_name_it_asked_for() -> None:
    assert customization(an_exchange(an_enrolment()), VoiceBook()).voice_id == "anna"


def test_a_design_keeps_the_preview_in_its_answer() -> None:
    preview = {"data": b64(a_wav()), "sample_rate": 24_000, "response_format": "wav"}
    reply = a_reply({"output": {"voice": "qwen-tts-vd-x", "preview_audio": preview}})

    call = customization(an_exchange(a_design(), reply=reply), VoiceBook())

    assert (call.operation, call.text, call.description) == ("design", "Welcome.", "A calm narrator.")
    assert (call.response_format, call.sample_rate_hz, call.voice_id) == ("mp3", 48_000, "qwen-tts-vd-x")
    assert call.recording is not None
    assert (call.recording.read(), call.transcript) == (a_wav(), "Welcome.")


def test_a_preview_that_is_damaged_is_none() -> None:
    reply = a_reply({"output": {"voice": "v", "preview_audio": {"data": "?"}}})

    assert customization(an_exchange(a_design(), reply=reply), VoiceBook()).recording is None


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        (synthesis, {"model": "qwen-vl-max", "input": {}}, "a model that does not speak"),
        (synthesis, {"input": {}}, "a model that does not speak"),
        (customization, {"model": "qwen-voice-enrollment", "input": {"action": "list"}}, "management of voices"),
        (customization, {"model": "qwen-voice-enrollment"}, "management of voices"),
        (customization, {"model": "voice-enrollment", "input": {"action": "create"}}, "a model that does not speak"),
    ],
)
def test_what_is_no_speech_is_skipped(read: Any, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(Skipped, match=reason):
        read(an_exchange(body), VoiceBook())


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        (synthesis, a_synthesis(text=""), r'"input\.text" is missing'),
        (synthesis, a_synthesis(voice=None), r'"input\.voice" is missing'),
        (customization, an_enrolment(audio={"data": "https://a/b.wav"}), "the reference audio is not in the request"),
        (customization, a_design(voice_prompt=None), r'"input\.voice_prompt" is missing'),
    ],
)
def test_what_dashscope_would_refuse_is_unusable(read: Any, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        read(an_exchange(body), VoiceBook())
