import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.exchanges import Capture, Consent
from harness.speech import Operation, Reference, VoiceKind
from replay.exporters.wire_requests import wire_request
from replay.importers.capture_header import unpacked
from tests.builders import a_capture, a_request, a_voice
from tests.traffic import a_wav, b64

CONSENT = Consent(scope=("replay",), region=None, expires_at=None, evidence="contract 7")


@pytest.fixture
def references(tmp_path: Path) -> EncryptedBlobStore:
    store = EncryptedBlobStore(tmp_path / "audio", KeyRing(tmp_path / "keys"))
    store.put(a_wav(), "wav")
    return store


def a_clone(references: EncryptedBlobStore, *, text: str = "", **changes: Any) -> Capture:
    sha256 = references.put(a_wav(), "wav")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="Hi."))
    operation = Operation.GENERATE if text else Operation.CLONE
    return replace(a_capture(request=a_request(text, operation=operation, voice=voice), consent=CONSENT), **changes)


def a_said_clone(references: EncryptedBlobStore, text: str) -> Capture:
    capture = a_clone(references)
    return replace(capture, request=replace(capture.request, text=text))


def told_beside(capture: Capture, references: EncryptedBlobStore | None = None) -> Any:
    request = wire_request(capture, references)
    return request and unpacked(request.beside)


def body(capture: Capture, references: EncryptedBlobStore | None = None) -> Any:
    request = wire_request(capture, references)
    return request and json.loads(request.body)


def test_speech_in_a_preset_voice_has_no_more_fields_than_it_needs() -> None:
    request = wire_request(a_capture())

    assert request is not None
    assert request.path == "/v1/audio/speech"
    assert json.loads(request.body) == {
        "input": "Good morning.",
        "voice": "Cherry",
        "language": "en",
        "response_format": "wav",
    }
    assert unpacked(request.beside) == {"user": "hmac:user-1"}
    assert request.headers["Content-Length"] == str(len(request.body))


def test_a_design_goes_to_its_own_path() -> None:
    request = wire_request(a_capture(request=a_request("Welcome.", operation=Operation.DESIGN)))

    assert request is not None
    assert request.path == "/v1/voices/design"
    assert json.loads(request.body)["description"] == "A calm middle-aged narrator."


def test_recordings_stay_at_home_unless_they_are_asked_for(references: EncryptedBlobStore) -> None:
    assert wire_request(a_clone(references)) is None
    assert told_beside(a_clone(references, text="Hi.")) == {"task_type": "Base", "user": "hmac:user-1"}


def test_recordings_go_along_decrypted_where_consent_allows(references: EncryptedBlobStore) -> None:
    clone = body(a_clone(references), references)

    assert (clone["audio"], clone["transcript"]) == (b64(a_wav()), "Hi.")
    assert clone["consent"]["evidence"] == "contract 7"


def test_speech_in_a_made_voice_tells_whose_by_the_hash_of_its_recording(references: EncryptedBlobStore) -> None:
    capture = a_clone(references, text="Hi.")
    reference = capture.request.voice.reference

    told = told_beside(capture, references)

    assert reference is not None
    assert (told["ref_sha256"], told["ref_text"]) == (reference.sha256, "Hi.")


@pytest.mark.parametrize(("times", "is_silenced"), [(1, False), (700, True)])
def test_the_words_of_a_clone_go_beside_it_as_far_as_a_header_holds(
    references: EncryptedBlobStore, times: int, is_silenced: bool
) -> None:
    request = wire_request(a_said_clone(references, "Say this. " * times), references)

    assert request is not None
    assert request.is_silenced is is_silenced
    assert ("spoken_text" in unpacked(request.beside)) is not is_silenced
    assert len(request.headers["X-Cutover-Capture"]) < 8_000


def test_a_clone_without_a_transcript_is_none_that_the_gateway_would_make(references: EncryptedBlobStore) -> None:
    capture = a_clone(references)
    reference = capture.request.voice.reference
    assert reference is not None
    voice = replace(capture.request.voice, reference=replace(reference, transcript=None))

    assert wire_request(replace(capture, request=replace(capture.request, voice=voice)), references) is None


def test_a_format_that_the_gateway_does_not_speak_is_told_beside_the_body() -> None:
    request = wire_request(a_capture(request=replace(a_request(), response_format="aac", sample_rate_hz=8_000)))

    assert request is not None
    assert "response_format" not in json.loads(request.body)
    told = unpacked(request.beside)
    assert (told["response_format"], told["sample_rate"]) == ("aac", 8_000)


def test_recordings_without_consent_stay_at_home_even_then(references: EncryptedBlobStore) -> None:
    assert wire_request(a_clone(references, consent=None), references) is None
    assert "ref_sha256" not in told_beside(a_clone(references, text="Hi.", consent=None), references)


def test_a_recording_that_is_missing_or_damaged_stays_out(references: EncryptedBlobStore) -> None:
    capture = a_clone(references)
    reference = capture.request.voice.reference
    assert reference is not None
    path = references.path(reference.sha256, "wav")

    path.write_bytes(b"other")
    assert wire_request(capture, references) is None
    path.unlink()
    assert wire_request(capture, references) is None
