"""What we export is what our own gateway takes: every body is read by the gateway's own models."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.exchanges import Capture, Consent
from harness.gateway.bodies import CloneBody, DesignBody, SpeechBody
from harness.speech import Operation, Reference, Voice, VoiceKind
from replay.exporters.foreign import ExportFormat, render
from replay.exporters.wire_requests import wire_request
from replay.importers.gor_records import SEPARATOR
from tests.builders import a_capture, a_request
from tests.gateways import running_gateway
from tests.traffic import a_wav

CONSENT: Final = Consent(scope=("replay",), region="eu", expires_at=None, evidence="contract 7")
MODELS: Final = MappingProxyType(
    {"/v1/audio/speech": SpeechBody, "/v1/voices/clone": CloneBody, "/v1/voices/design": DesignBody}
)
URL: Final = "http://127.0.0.1:8080"
Sent = tuple[str, dict[str, str], bytes]  # path, headers, body


@pytest.fixture
def references(tmp_path: Path) -> EncryptedBlobStore:
    return EncryptedBlobStore(tmp_path / "audio", KeyRing(tmp_path / "keys"))


def some_captures(references: EncryptedBlobStore) -> list[Capture]:
    """Of each operation a plain one, and one with all that a capture can say."""
    sha256 = references.put(a_wav(2.0), "wav")
    made = Voice(kind=VoiceKind.CLONE, id="hmac:" + "0" * 32, reference=Reference(sha256=sha256, transcript="Hi."))
    clone = a_request("", operation=Operation.CLONE, voice=made)
    design = a_request("Welcome.", operation=Operation.DESIGN)
    unusual: dict[str, Any] = {"response_format": "aac", "sample_rate_hz": 8_000, "language": None}
    preset = Voice(kind=VoiceKind.PRESET, id="Vivian")  # one that both providers have
    requests = [
        a_request("Hi.", voice=preset),
        replace(a_request("Hi.", voice=preset), instructions="Whisper.", stream=True, **unusual),
        a_request("Hi.", voice=made),
        clone,
        replace(clone, text="你好。" * 50),
        design,
        replace(design, **unusual),
    ]
    return [
        a_capture(f"c{number}", request=request, consent=CONSENT if request.voice.reference else None)
        for number, request in enumerate(requests)
    ]


def exported(format_: ExportFormat, captures: list[Capture], references: EncryptedBlobStore) -> list[Sent]:
    pairs = [(capture, request) for capture in captures if (request := wire_request(capture, references))]
    assert len(pairs) == len(captures)
    return list(READERS[format_](b"".join(render(format_, pairs, URL))))


def read_gor(data: bytes) -> Iterator[Sent]:
    for record in data.split(SEPARATOR)[:-1]:
        head, _, body = record.partition(b"\n")[2].partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        yield first.split()[1], dict(field.split(": ", 1) for field in fields), body


def read_har(data: bytes) -> Iterator[Sent]:
    for entry in json.loads(data)["log"]["entries"]:
        request = entry["request"]
        headers = {field["name"]: field["value"] for field in request["headers"]}
        yield urlsplit(request["url"]).path, headers, request["postData"]["text"].encode()


def read_vegeta(data: bytes) -> Iterator[Sent]:
    for line in data.splitlines():
        target = json.loads(line)
        headers = {name: value for name, (value,) in target["header"].items()}
        yield urlsplit(target["url"]).path, headers, base64.b64decode(target["body"])


READERS: Final = {ExportFormat.GOR: read_gor, ExportFormat.HAR: read_har, ExportFormat.VEGETA: read_vegeta}


@pytest.mark.parametrize("format_", ExportFormat)
def test_the_gateway_takes_every_exported_body(references: EncryptedBlobStore, format_: ExportFormat) -> None:
    captures = some_captures(references)

    sent = exported(format_, captures, references)

    read = [MODELS[path].model_validate_json(body) for path, _, body in sent]
    assert [_words_of(each) for each in read] == [_expected_words(capture) for capture in captures]


def _words_of(body: BaseModel) -> str:
    match body:
        case SpeechBody():
            return body.input
        case DesignBody():
            return body.preview_text
        case CloneBody():
            return body.transcript
        case _:
            raise AssertionError(body)


def _expected_words(capture: Capture) -> str:
    reference = capture.request.voice.reference
    if capture.request.operation is Operation.CLONE:
        return (reference and reference.transcript) or ""
    return capture.request.text


async def test_a_running_gateway_answers_what_is_sent_with_its_headers(
    references: EncryptedBlobStore, tmp_path: Path
) -> None:
    """In made voices the ids are the caller's of then; presets, clones and designs need nothing from before."""
    fresh = [
        capture
        for capture in some_captures(references)
        if capture.request.operation is not Operation.GENERATE or capture.request.voice.kind is VoiceKind.PRESET
    ]
    home = tmp_path / "home"
    home.mkdir()
    async with running_gateway(home, modes={}) as world:
        for path, headers, body in exported(ExportFormat.VEGETA, fresh, references):
            async with world.http.post(world.base_url + path, data=body, headers=headers | world.headers) as reply:
                assert reply.status in (200, 201), await reply.text()
