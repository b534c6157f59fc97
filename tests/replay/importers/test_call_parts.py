import pytest

from replay.importers.call_parts import base_call, in_known_voice, learned_voice, named_by, required, spoken_preview
from replay.importers.records import Recording, Unusable
from replay.importers.voice_book import KnownVoice, VoiceBook
from tests.traffic import NOON, a_call, a_reply, a_wav, an_exchange

RECORDING = Recording("a" * 64, lambda: b"RIFF")


def test_a_call_begins_with_what_its_exchange_tells() -> None:
    exchange = an_exchange(reply=a_reply(a_wav()))

    call = base_call(exchange, "modal", operation="generate", text="Hi", voice_kind="preset", voice_id="Vivian")

    assert (call.key, call.captured_at, call.text) == ("k1", NOON, "Hi")
    assert call.observed is not None
    assert (call.observed["provider"], call.observed["status"]) == ("modal", "ok")


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_what_is_required_must_be_there(value: str | None) -> None:
    with pytest.raises(Unusable, match='"input" is missing'):
        required(value, "input")


def test_a_nameless_voice_is_named_by_what_it_was_made_from() -> None:
    assert named_by(RECORDING) == named_by(Recording("a" * 64, lambda: None)) != named_by(None, "calm")
    assert named_by(None, "calm") == named_by(None, "calm") != named_by(None, "lively")
    assert named_by(None, "\ud800")


def test_a_voice_told_of_before_is_known_by_its_name() -> None:
    book = VoiceBook()
    consent = {"scope": ["replay"]}
    book.learn(KnownVoice(kind="clone", recording_sha256="a" * 64, transcript="Hi.", consent=consent), "anna")

    call = in_known_voice(a_call(voice_id="anna"), book)

    assert (call.voice_kind, call.transcript, call.consent) == ("clone", "Hi.", consent)
    assert call.recording is not None
    assert (call.recording.sha256, call.recording.read()) == ("a" * 64, None)


def test_a_preview_heard_before_makes_the_voice_a_designed_one() -> None:
    book = VoiceBook()
    book.learn(KnownVoice(kind="design", recording_sha256="a" * 64, description="A calm voice."))

    call = in_known_voice(a_call(voice_kind="clone", recording=RECORDING, transcript="own words"), book)

    assert (call.voice_kind, call.description, call.transcript) == ("design", "A calm voice.", "own words")
    assert call.recording is RECORDING


def test_a_voice_nobody_told_of_stays_as_it_is() -> None:
    assert in_known_voice(a_call(), VoiceBook()) == a_call()


def test_audio_that_came_back_is_the_recording_of_a_designed_voice() -> None:
    preview = spoken_preview(a_reply(a_wav()))

    assert preview is not None
    assert preview.read() == a_wav()
    assert spoken_preview(a_reply(a_wav(), status=500)) is None
    assert spoken_preview(a_reply(b"<html>")) is None
    assert spoken_preview(None) is None


def test_what_later_calls_need_of_a_made_voice_is_kept_without_its_audio() -> None:
    known = learned_voice(a_call(voice_kind="clone", recording=RECORDING, transcript="Hi."), {"scope": []})

    assert known == KnownVoice(kind="clone", recording_sha256="a" * 64, transcript="Hi.", consent={"scope": []})
