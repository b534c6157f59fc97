import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import FakeClock
from harness.errors import ErrorKind, UsageError
from harness.exchanges import OK, Capture, Consent, Observed
from harness.speech import LANGUAGES, Operation, Reference, SpeechRequest, Voice, VoiceKind
from replay.exporters.foreign import ExportFormat, render
from replay.exporters.wire_requests import wire_request
from replay.importers.capture_header import packed
from replay.importers.formats import Format, read_files
from replay.importers.records import LeftOut
from replay.sanitising.call_sanitiser import CallSanitiser
from tests.builders import NOON, a_capture, a_request
from tests.traffic import a_wav

URL = "http://127.0.0.1:8080"
CONSENT = Consent(scope=("replay",), region=None, expires_at=None, evidence="contract 7")


def a_store(folder: Path) -> EncryptedBlobStore:
    return EncryptedBlobStore(folder / "audio", KeyRing(folder / "keys"))


def exported(format: ExportFormat, *captures: Capture, references: Any = None, url: str = URL) -> bytes:  # noqa: A002
    pairs = [(capture, request) for capture in captures if (request := wire_request(capture, references))]
    return b"".join(render(format, pairs, url))


def imported(folder: Path, data: bytes) -> list[Capture]:
    path = folder / "export"
    path.write_bytes(data)
    keys = KeyRing(folder / "keys")
    sanitiser = CallSanitiser(Sanitiser(Policy.RAW, keys, references=a_store(folder), clock=FakeClock()))
    captures = []
    for read in read_files([path], Format.AUTO, None):
        assert not isinstance(read.outcome, LeftOut), read.outcome
        captures.append(sanitiser.clean(read.outcome).capture)
    return captures


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=80).filter(str.strip)


@st.composite
def captures(draw: st.DrawFn) -> Capture:
    """Every kind that the field's convention has words for."""
    operation = draw(st.sampled_from(list(Operation)))
    kind = VoiceKind.PRESET if operation is Operation.GENERATE and draw(st.booleans()) else VoiceKind.CLONE
    kind = VoiceKind.DESIGN if operation is Operation.DESIGN else kind
    reference = Reference(sha256="", transcript=draw(TEXTS)) if kind is VoiceKind.CLONE else None
    voice = Voice(
        kind=kind,
        id="Vivian"
        if kind is VoiceKind.PRESET
        else "hmac:" + draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        reference=reference,
        description=draw(TEXTS) if kind is VoiceKind.DESIGN else None,
    )
    is_clone = operation is Operation.CLONE
    request = SpeechRequest(
        operation=operation,
        text=draw(st.just("") | TEXTS)
        if is_clone
        else draw(TEXTS | st.just("\n🐵🙈🙉\n1 abc 123\nPOST / HTTP/1.1\r\n\r\n")),
        language=draw(st.sampled_from([*LANGUAGES, None])),
        voice=voice,
        instructions=draw(st.none() | TEXTS) if kind is VoiceKind.PRESET else None,
        response_format="wav" if is_clone else draw(st.sampled_from(["wav", "mp3", "opus"])),
        sample_rate_hz=24_000 if is_clone else draw(st.sampled_from([8_000, 24_000, 48_000])),
        stream=operation is Operation.GENERATE and draw(st.booleans()),
    )
    at = NOON + timedelta(microseconds=draw(st.integers(0, 10**12)))
    has_consent = kind is VoiceKind.CLONE
    consent = CONSENT if has_consent else None
    return a_capture(request=request, captured_at=at, consent=consent, user_key="hmac:" + "0" * 32)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(some=st.lists(captures(), min_size=1, max_size=4), format_=st.sampled_from([ExportFormat.GOR, ExportFormat.HAR]))
def test_what_is_exported_comes_back_equal(tmp_path: Path, some: list[Capture], format_: ExportFormat) -> None:
    store = a_store(tmp_path)
    sha256 = store.put(a_wav(), "wav")
    some = [_with_recording(capture, sha256) for capture in some]

    back = imported(tmp_path, exported(format_, *some, references=store))

    assert [_told(capture) for capture in back] == [_told(capture) for capture in some]


def _with_recording(capture: Capture, sha256: str) -> Capture:
    voice = capture.request.voice
    if voice.reference is None:
        return capture
    voice = replace(voice, reference=replace(voice.reference, sha256=sha256))
    return replace(capture, request=replace(capture.request, voice=voice))


def _told(capture: Capture) -> tuple[Any, ...]:
    """What the convention has words for; consent goes with the making of a voice only."""
    consent = capture.consent if capture.request.operation is Operation.CLONE else None
    return (capture.captured_at, capture.request, capture.user_key, consent)


@pytest.mark.parametrize("status", [OK, *ErrorKind])
def test_an_outcome_and_its_times_survive_a_har(tmp_path: Path, status: str) -> None:
    failed = status != OK
    observed = Observed(
        provider="modal", status=status, first_byte_s=None if failed else 0.75, total_s=1.5, audio_s=None
    )

    (back,) = imported(tmp_path, exported(ExportFormat.HAR, a_capture(observed=observed)))

    assert back.observed is not None
    assert (back.observed.status, back.observed.total_s) == (status, 1.5)
    assert failed or back.observed.first_byte_s == 0.75


def test_vegeta_reads_one_target_a_line() -> None:
    lines = exported(ExportFormat.VEGETA, a_capture("a"), a_capture("b")).decode().splitlines()

    target = json.loads(lines[1])

    assert len(lines) == 2
    assert (target["method"], target["url"]) == ("POST", f"{URL}/v1/audio/speech")
    assert target["header"] == {
        "Content-Type": ["application/json"],
        "X-Cutover-Capture": [packed({"user": "hmac:user-1"})],
    }
    assert json.loads(base64.b64decode(target["body"]))["input"] == "Good morning."


def test_a_gor_record_is_what_goreplay_expects() -> None:
    data = exported(ExportFormat.GOR, a_capture(), url="https://gateway.example/base/")

    meta, first, host = data.split(b"\n")[:3]
    assert meta.split() == [b"1", meta.split()[1], b"1795435200000000000", b"0"]
    assert len(meta.split()[1]) == 24
    assert (first, host) == (b"POST /base/v1/audio/speech HTTP/1.1\r", b"Host: gateway.example\r")


def test_a_har_without_captures_is_still_json() -> None:
    assert json.loads(exported(ExportFormat.HAR))["log"]["entries"] == []


@pytest.mark.parametrize("format_", ExportFormat)
def test_no_export_holds_a_line_break_of_a_text_in_its_own_lines(format_: ExportFormat) -> None:
    capture = a_capture(request=a_request("Hi.\r\nX-Evil: 1\r\n\r\n"), user_key="u\u2028")

    assert b"\r\nX-Evil" not in exported(format_, capture)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://x", "http://user:key@x", "http://x/?key=1", "http:///x"])
def test_an_address_that_is_none_or_holds_a_key_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="write it like http://127"):
        list(render(ExportFormat.GOR, [], url))
