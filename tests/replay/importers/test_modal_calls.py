from typing import Any

import pytest

from replay.importers.modal_calls import clone, design, generate
from replay.importers.records import Skipped, Unusable
from replay.importers.voice_book import VoiceBook
from tests.traffic import a_body, a_reply, a_wav, an_exchange, b64

CLONE: dict[str, Any] = {
    "text": "Good morning.",
    "language": "English",
    "ref_audio_base64": b64(a_wav()),
    "ref_text": "Hello, this is Anna.",
    "max_new_tokens": 2048,
}
DESIGN: dict[str, Any] = {"text": "Welcome.", "language": "Auto", "instruct": "A calm narrator."}


def test_speech_in_the_voice_of_a_reference_is_a_generate() -> None:
    call = clone(an_exchange(CLONE, reply=a_reply(a_wav())), VoiceBook())

    assert (call.operation, call.text, call.language, call.voice_kind) == ("generate", "Good morning.", "en", "clone")
    assert call.recording is not None
    assert call.recording.read() == a_wav()
    assert call.transcript == "Hello, this is Anna."
    assert call.observed is not None
    assert call.observed["provider"] == "modal"


def test_one_reference_is_one_voice_whoever_sends_it() -> None:
    first = clone(an_exchange(CLONE), VoiceBook())
    second = clone(an_exchange(CLONE | {"text": "Good night.", "ref_text": "other"}), VoiceBook())

    assert first.voice_id == second.voice_id


def test_a_design_keeps_the_preview_that_came_back() -> None:
    call = design(an_exchange(DESIGN, reply=a_reply(a_wav())), VoiceBook())

    assert (call.operation, call.text, call.language, call.voice_kind) == ("design", "Welcome.", None, "design")
    assert (call.description, call.transcript) == ("A calm narrator.", "Welcome.")
    assert call.recording is not None


def test_speech_in_the_voice_of_an_earlier_preview_is_speech_in_a_designed_voice() -> None:
    book = VoiceBook()
    designed = design(an_exchange(DESIGN, reply=a_reply(a_wav())), book)

    spoken = clone(an_exchange(CLONE | {"ref_text": "Welcome."}), book)

    assert (spoken.voice_kind, spoken.description) == ("design", "A calm narrator.")
    assert spoken.voice_id == designed.voice_id


def test_a_preset_may_bring_an_instruction() -> None:
    call = generate(an_exchange(a_body(instruct="Whisper.", user="u7")), VoiceBook())

    assert (call.voice_kind, call.voice_id, call.instructions, call.user) == ("preset", "Vivian", "Whisper.", "u7")
    assert generate(an_exchange(a_body(instruct="")), VoiceBook()).instructions is None


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        (clone, {"text": "x", "ref_audio_url": "https://a/b.wav"}, "the reference audio is not in the request"),
        (clone, CLONE | {"ref_audio_base64": "?"}, "the base64 of the reference audio is damaged"),
        (clone, CLONE | {"text": " "}, '"text" is missing'),
        (clone, CLONE | {"language": "Dutch"}, "the language is none of"),
        (clone, b"[]", "the body is JSON and no object"),
        (design, {"text": "Welcome."}, '"instruct" is missing'),
        (generate, a_body(text=None), '"text" is missing'),
        (generate, a_body(text=7), '"text" is not a text'),
    ],
)
def test_what_the_legacy_path_would_refuse_is_unusable(read: Any, body: Any, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        read(an_exchange(body), VoiceBook())


@pytest.mark.parametrize(
    ("read", "body"),
    [(clone, {"repository": "git"}), (design, {"figma": 1}), (generate, {"prompt": "a cat", "text": "x"})],
)
def test_other_services_with_such_a_path_are_skipped(read: Any, body: dict[str, Any]) -> None:
    with pytest.raises(Skipped, match="not a speech endpoint"):
        read(an_exchange(body), VoiceBook())
