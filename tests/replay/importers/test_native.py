from dataclasses import replace
from pathlib import Path

from harness.capture import capture_to_json
from harness.exchanges import Consent, Observed
from harness.speech import Operation, Reference, VoiceKind
from harness.store.blobs import BlobStore
from replay.importers.native import read_native
from replay.importers.records import LeftOut, SpeechCall
from replay.lines import LineFile
from tests.builders import NOON, a_capture, a_request, a_voice


def read(folder: Path, *lines: str, **options: int) -> list[SpeechCall | LeftOut]:
    path = folder / "captures.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return [found for _, found in read_native(LineFile(path, **options), BlobStore(folder / "audio"))]


def test_every_field_of_a_capture_comes_along(tmp_path: Path) -> None:
    voice = a_voice(VoiceKind.CLONE)
    capture = a_capture(
        "c7",
        request=a_request("", operation=Operation.CLONE, voice=voice, response_format="mp3", stream=True),
        session="s1",
        segment="news",
        consent=Consent(scope=("replay",), region="eu", expires_at=NOON, evidence="contract 7"),
        observed=Observed(provider="modal", status="ok", first_byte_s=0.5, total_s=1.0, audio_s=2.0),
    )

    (call,) = read(tmp_path, capture_to_json(capture))

    assert isinstance(call, SpeechCall)
    assert (call.id, call.operation, call.text, call.language) == ("c7", "clone", "", "en")
    assert (call.voice_kind, call.voice_id, call.transcript) == ("clone", "voice-anna", "Hello, this is Anna.")
    assert (call.response_format, call.stream, call.user, call.session) == ("mp3", True, "hmac:user-1", "s1")
    assert call.consent is not None
    assert call.consent["expires_at"] == "2026-11-23T12:00:00+00:00"
    assert call.observed is not None
    assert call.observed["total_s"] == 1.0


def test_a_recording_beside_the_file_is_read_when_asked_for(tmp_path: Path) -> None:
    sha256 = BlobStore(tmp_path / "audio").put(b"RIFF1234WAVE", "wav")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None))
    capture = a_capture(request=a_request(voice=voice))

    calls = read(
        tmp_path,
        capture_to_json(capture),
        capture_to_json(a_capture(request=a_request(voice=a_voice(VoiceKind.CLONE)))),
    )

    recordings = [call.recording for call in calls if isinstance(call, SpeechCall)]
    assert [recording and recording.read() for recording in recordings] == [b"RIFF1234WAVE", None]


def test_a_damaged_recording_counts_as_not_known(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "audio")
    sha256 = store.put(b"RIFF1234WAVE", "wav")
    store.path(sha256, "wav").write_bytes(b"other")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None))

    (call,) = read(tmp_path, capture_to_json(a_capture(request=a_request(voice=voice))))

    assert isinstance(call, SpeechCall)
    assert call.recording is not None
    assert call.recording.read() is None


def test_what_is_no_capture_is_left_out_with_its_reason(tmp_path: Path) -> None:
    good = capture_to_json(a_capture())
    found = read(tmp_path, "", good.replace('"en"', '"nl"'), replace_text(good, "x" * 999), good, max_line_bytes=800)

    assert [one.reason if isinstance(one, LeftOut) else one.id for one in found] == [
        "a blank line",
        "language must be one of zh, en, de, it, pt, es, ja, ko, fr, ru, or null to let the provider guess",
        f"the line has {len(good) - 13 + 999} bytes, more than the 800 that are read",
        "c1",
    ]


def replace_text(line: str, text: str) -> str:
    return line.replace("Good morning.", text)


def test_a_capture_without_extras_has_none(tmp_path: Path) -> None:
    (call,) = read(tmp_path, capture_to_json(replace(a_capture(), user_key=None)))

    assert isinstance(call, SpeechCall)
    assert (call.user, call.session, call.consent, call.observed, call.recording) == (None, None, None, None, None)
