import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.capture import capture_to_json
from harness.capturing.identities import Pseudonyms
from harness.capturing.keys import KeyRing
from harness.capturing.reasons import LeftOut
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import FakeClock
from harness.exchanges import Capture, Consent, Observed
from harness.speech import Reference, VoiceKind
from replay.importers.records import Recording, SpeechCall
from replay.sanitising.call_sanitiser import CallSanitiser
from tests.builders import NOON, a_capture, a_request, a_voice
from tests.traffic import a_wav

KEY = bytes(range(32))
PHONE = "+49 30 901820"
SHA256 = hashlib.sha256(a_wav()).hexdigest()
CONSENT = Consent(scope=("replay",), region=None, expires_at=None, evidence=f"call {PHONE}")


def a_sanitiser(folder: Path, policy: Policy = Policy.MASK, **options: Any) -> Sanitiser:
    keys = KeyRing(folder / "keys", given={"identity": KEY.hex()})
    references = EncryptedBlobStore(folder / "audio", keys)
    return Sanitiser(policy, keys, references=references, clock=FakeClock(), **options)


def a_live_capture(**changes: Any) -> Capture:
    """As a gateway sees it: everything in clear, in every field that can hold words or a name."""
    reference = Reference(sha256=SHA256, transcript=f"It is {PHONE}.")
    voice = a_voice(VoiceKind.CLONE, id="anna", reference=reference, description=f"Like {PHONE}.")
    request = a_request(f"Call {PHONE}.", voice=voice, instructions=f"Read {PHONE}.", stream=True)
    capture = a_capture(
        request=request,
        user_key="anna@example.com",
        session="s1",
        segment=f"line {PHONE}",
        consent=CONSENT,
        observed=Observed(provider="modal", status="ok", first_byte_s=0.5, total_s=1.5, audio_s=2.0),
    )
    return replace(capture, **changes)


def kept(sanitiser: Sanitiser, capture: Capture, reference: bytes | None = None) -> Capture:
    found = sanitiser.sanitise(capture, reference)
    assert not isinstance(found, LeftOut), found
    return found


def test_nothing_of_a_person_stays_in_any_field(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)

    line = capture_to_json(kept(sanitiser, a_live_capture(), a_wav()))

    assert PHONE not in line
    assert "anna" not in line
    assert '"s1"' not in line
    assert sanitiser.report.masked == {"phone": 6}
    assert sanitiser.report.pseudonyms == {"user": 1, "voice": 1, "session": 1}


def test_what_is_not_about_a_person_stays(tmp_path: Path) -> None:
    before = a_live_capture()

    after = kept(a_sanitiser(tmp_path), before)

    assert (after.id, after.captured_at, after.observed) == (before.id, before.captured_at, before.observed)
    assert after.request.stream
    assert len(after.request.text) == len(before.request.text)
    assert after.consent == replace(CONSENT, evidence=after.consent.evidence if after.consent else None)


@pytest.mark.parametrize("policy", list(Policy))
def test_an_importer_and_the_gateway_come_to_the_same_capture(tmp_path: Path, policy: Policy) -> None:
    capture = a_live_capture()
    request, voice = capture.request, capture.request.voice
    call = SpeechCall(
        key="k",
        id=capture.id,
        captured_at=NOON.isoformat(),
        operation=request.operation,
        text=request.text,
        language=request.language,
        voice_kind=voice.kind,
        voice_id=voice.id,
        description=voice.description,
        recording=Recording(SHA256, a_wav),
        transcript=voice.reference.transcript if voice.reference else None,
        instructions=request.instructions,
        stream=True,
        user=capture.user_key,
        session=capture.session,
        segment=capture.segment,
        consent={"scope": ["replay"], "evidence": CONSENT.evidence},
        observed={"provider": "modal", "status": "ok", "first_byte_s": 0.5, "total_s": 1.5, "audio_s": 2.0},
    )

    imported = CallSanitiser(a_sanitiser(tmp_path / "a", policy)).clean(call).capture

    assert kept(a_sanitiser(tmp_path / "b", policy), capture, a_wav()) == imported
    assert [path.name for path in (tmp_path / "a").rglob("*.wav")] == [f"{SHA256}.wav"]
    assert [path.name for path in (tmp_path / "b").rglob("*.wav")] == [f"{SHA256}.wav"]


def test_preset_names_stay_and_unknown_ones_become_pseudonyms(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path, presets=("house",))

    names = [sanitiser.voice_name(VoiceKind.PRESET, name) for name in ("Cherry", "house", "mueller")]

    assert names == ["Cherry", "house", Pseudonyms(KEY).of("voice", "mueller")]
    assert sanitiser.report.unknown_presets.total() == 1


def test_a_recording_is_kept_encrypted_once_and_only_with_consent(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)

    kept(sanitiser, a_live_capture(consent=None), a_wav())
    assert not (tmp_path / "audio").exists()
    kept(sanitiser, a_live_capture(), a_wav())
    kept(sanitiser, a_live_capture(), a_wav())

    (path,) = (tmp_path / "audio").rglob("*.wav")
    assert path.read_bytes().startswith(b"CUTOVER1")
    assert (sanitiser.report.stored, sanitiser.report.without_consent) == ({SHA256}, set())


@pytest.mark.parametrize("reference", [None, b"no audio", a_wav(0.1)], ids=["absent", "no audio", "another recording"])
def test_a_recording_that_is_not_the_one_meant_is_missing(tmp_path: Path, reference: bytes | None) -> None:
    sanitiser = a_sanitiser(tmp_path)

    kept(sanitiser, a_live_capture(), reference)

    assert sanitiser.report.missing == {SHA256}
    assert not (tmp_path / "audio").exists()


def test_a_text_too_long_is_left_out_with_its_reason(tmp_path: Path) -> None:
    left_out = a_sanitiser(tmp_path).sanitise(a_capture(request=a_request("x" * 100_001)))

    assert isinstance(left_out, LeftOut)
    assert left_out.reason == "text has 100001 characters, more than 100000"
