import json
from typing import Any

import pytest

from replay.importers.openai_calls import clone_voice, design_voice, speech
from replay.importers.records import Unusable
from replay.importers.voice_book import VoiceBook
from tests.traffic import a_reply, a_wav, an_exchange, b64

SPEECH: dict[str, Any] = {"model": "tts", "input": "Good morning.", "voice": "Vivian"}
CONSENT = {"scope": ["replay"], "region": None, "expires_at": None, "evidence": "contract 7"}


def a_form(**fields: bytes) -> bytes:
    parts = [
        b'--XX\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), data)
        for name, data in fields.items()
    ]
    return b"".join(parts) + b"--XX--\r\n"


def uploaded(**fields: bytes) -> Any:
    exchange = an_exchange(a_form(**fields), content_type="multipart/form-data; boundary=XX")
    return clone_voice(exchange, VoiceBook())


def test_speech_takes_the_fields_that_a_capture_has() -> None:
    body = SPEECH | {"language": "de", "instructions": "Whisper.", "response_format": "pcm", "sample_rate": 16_000}

    call = speech(an_exchange(body | {"stream_format": "sse", "user": "u7"}), VoiceBook())

    assert (call.operation, call.text, call.language, call.instructions) == (
        "generate",
        "Good morning.",
        "de",
        "Whisper.",
    )
    assert (call.response_format, call.sample_rate_hz, call.stream, call.user) == ("pcm", 16_000, True, "u7")
    assert (call.voice_kind, call.voice_id) == ("preset", "Vivian")


@pytest.mark.parametrize("voice", [{"voice": {"id": "Vivian"}}, {"speaker": "Vivian"}])
def test_a_voice_has_several_spellings(voice: dict[str, Any]) -> None:
    body = {"input": "Hi."} | voice

    assert speech(an_exchange(body), VoiceBook()).voice_id == "Vivian"


def test_a_reference_that_comes_along_makes_it_a_cloned_voice() -> None:
    body = {"input": "Hi.", "ref_audio": f"data:audio/wav;base64,{b64(a_wav())}", "ref_text": "Hello."}

    call = speech(an_exchange(body), VoiceBook())

    assert (call.voice_kind, call.transcript) == ("clone", "Hello.")
    assert call.recording is not None


def test_the_base_model_speaks_in_made_voices_only() -> None:
    assert speech(an_exchange(SPEECH | {"task_type": "Base"}), VoiceBook()).voice_kind == "clone"


def test_voice_design_is_told_by_its_task() -> None:
    body = {"input": "Welcome.", "task_type": "VoiceDesign", "instructions": "A calm narrator."}

    call = speech(an_exchange(body, reply=a_reply(a_wav())), VoiceBook())

    assert (call.operation, call.text, call.description) == ("design", "Welcome.", "A calm narrator.")
    assert (call.voice_kind, call.instructions) == ("design", None)
    assert call.recording is not None


def test_a_clone_may_be_json_with_its_consent_in_our_format() -> None:
    body = {"name": "anna", "audio": b64(a_wav()), "transcript": "Hello.", "language": "en", "consent": CONSENT}

    call = clone_voice(an_exchange(body), VoiceBook())

    assert (call.operation, call.voice_id, call.transcript, call.consent) == ("clone", "anna", "Hello.", CONSENT)


def test_a_clone_may_be_an_upload() -> None:
    call = uploaded(
        audio_sample=a_wav(), name=b"anna", ref_text="Grüße.".encode(), consent=json.dumps(CONSENT).encode()
    )

    assert (call.voice_id, call.transcript, call.consent) == ("anna", "Grüße.", CONSENT)
    assert call.recording.read() == a_wav()


def test_a_bare_word_is_no_consent() -> None:
    assert uploaded(audio_sample=a_wav(), name=b"anna", consent=b"yes").consent is None


def test_a_made_voice_is_known_to_later_calls_under_both_its_names() -> None:
    book = VoiceBook()
    body = {"name": "anna", "audio": b64(a_wav()), "consent": CONSENT}
    clone_voice(an_exchange(body, reply=a_reply({"id": "voice_1"})), book)

    calls = [speech(an_exchange(SPEECH | {"voice": name}), book) for name in ("anna", "voice_1")]

    assert [(call.voice_kind, call.consent) for call in calls] == [("clone", CONSENT), ("clone", CONSENT)]


def test_a_design_takes_description_and_preview() -> None:
    body = {"description": "A calm narrator.", "preview_text": "Welcome.", "name": "narrator", "language": "en"}

    call = design_voice(an_exchange(body, reply=a_reply({"id": "voice_2"})), VoiceBook())

    assert (call.operation, call.text, call.description) == ("design", "Welcome.", "A calm narrator.")
    assert (call.voice_id, call.recording) == ("voice_2", None)


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        (speech, SPEECH | {"speed": 1.5}, 'a "speed" cannot be expressed'),
        (speech, SPEECH | {"input": ""}, '"input" is missing'),
        (speech, {"input": "Hi."}, '"voice" is missing'),
        (speech, SPEECH | {"ref_audio": "https://a/b.wav"}, "only its address is"),
        (speech, {"input": "Hi.", "task_type": "VoiceDesign"}, '"instructions" is missing'),
        (clone_voice, {"name": "anna"}, "the reference audio is not in the request"),
        (clone_voice, {"audio": b64(a_wav()), "consent": "{broken"}, "the consent is no sound JSON"),
        (design_voice, {"preview_text": "Hi."}, '"description" is missing'),
    ],
)
def test_what_cannot_be_replayed_is_unusable(read: Any, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        read(an_exchange(body), VoiceBook())


def test_normal_speed_is_no_trouble() -> None:
    assert speech(an_exchange(SPEECH | {"speed": 1.0}), VoiceBook()).text == "Good morning."
