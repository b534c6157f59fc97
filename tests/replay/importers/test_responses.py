import json
import struct
from typing import Any

import pytest

from replay.importers.exchanges import HttpReply
from replay.importers.responses import observed, reply_object, wav_seconds
from tests.traffic import a_reply, a_wav, an_exchange, b64

DASHSCOPE_OK = {"output": {"audio": {"url": "http://result/a.wav", "data": ""}}, "usage": {"characters": 5}}


def status(reply: HttpReply, provider: str = "modal") -> object:
    found = observed(an_exchange(reply=reply), provider)
    return found and found["status"]


def an_event_stream(*events: dict[str, Any]) -> HttpReply:
    body = "".join(f"id:1\nevent:result\ndata:{json.dumps(event)}\n\n" for event in events).encode()
    return a_reply(body, content_type="text/event-stream;charset=UTF-8")


def test_an_answer_with_audio_tells_times_and_length() -> None:
    assert observed(an_exchange(reply=a_reply(a_wav(0.5))), "modal") == {
        "provider": "modal",
        "status": "ok",
        "first_byte_s": 0.8,
        "total_s": 1.5,
        "audio_s": 0.5,
    }


def test_without_a_reply_nothing_was_observed() -> None:
    assert observed(an_exchange(), "modal") is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(a_reply(None), "ok", id="audio that was not recorded"),
        pytest.param(a_reply(b""), "empty_audio", id="no bytes"),
        pytest.param(a_reply(b"<html>", content_type="text/html"), "bad_response", id="a page"),
        pytest.param(a_reply({"detail": "GPU"}, status=500), "overloaded", id="500"),
        pytest.param(a_reply({"detail": "Unsupported language: nl"}, status=400), "unsupported", id="unsupported"),
        pytest.param(a_reply({"detail": [{"loc": []}]}, status=422), "bad_request", id="422 of FastAPI"),
        pytest.param(a_reply(b"[" * 9_000, status=500), "overloaded", id="deep JSON"),
        pytest.param(a_reply(b"modal-http: missing credentials", status=401), "auth", id="the platform's own"),
        pytest.param(HttpReply(status=0, content_type="", body=None), "unknown_outcome", id="no reply came"),
        pytest.param(HttpReply(status=0, content_type="", body=None, error="dns"), "dns", id="… and why"),
        pytest.param(a_reply(b"", status=303), None, id="a redirect: the outcome lies elsewhere"),
        pytest.param(a_reply({"job_id": "fc-1", "status": "submitted"}), None, id="a job that was taken in"),
    ],
)
def test_the_legacy_paths_answers_become_outcomes(reply: HttpReply, expected: str | None) -> None:
    assert status(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(a_reply(DASHSCOPE_OK), "ok", id="an address"),
        pytest.param(
            a_reply({"code": "DataInspectionFailed", "message": ""}, status=400), "content_blocked", id="filter"
        ),
        pytest.param(a_reply({"code": "Arrearage", "message": ""}), "billing", id="an error that came with 200"),
        pytest.param(a_reply({"error": {"code": 400, "message": "x"}}, status=400), "bad_request", id="OpenAI's form"),
        pytest.param(an_event_stream({"output": {"audio": {"data": b64(bytes(48_000))}}}), "ok", id="a stream"),
        pytest.param(an_event_stream({"output": {"audio": {"data": ""}}}), "empty_audio", id="a silent stream"),
    ],
)
def test_dashscopes_answers_become_outcomes(reply: HttpReply, expected: str) -> None:
    assert status(reply, "qwen") == expected


def test_a_stream_tells_the_length_of_its_audio() -> None:
    delta = {"type": "speech.audio.delta", "audio": b64(bytes(24_000))}
    broken = {"type": "speech.audio.delta", "audio": "?"}

    found = observed(an_exchange(reply=an_event_stream(delta, broken, delta, {"type": "done"})), "openai-style")

    assert found is not None
    assert found["audio_s"] == 1.0


def test_a_failure_has_no_audio() -> None:
    found = observed(an_exchange(reply=a_reply(a_wav(), status=500)), "modal")

    assert found is not None
    assert found["audio_s"] is None


def test_the_length_of_a_wav_is_that_of_its_bytes() -> None:
    whole = a_wav(1.0)
    streamed = whole[:40] + struct.pack("<I", 0xFFFFFFFF) + whole[44:]

    assert wav_seconds(whole) == 1.0
    assert wav_seconds(whole[:-24_000]) == 0.5  # the header says more
    assert wav_seconds(streamed) == 1.0


@pytest.mark.parametrize("body", [b"", b"RIFF", b"RIFF....WAVE", b"RIFF....WAVEdata\x04\x00\x00\x00abcd", b"ID3" * 20])
def test_what_is_no_wav_has_no_length(body: bytes) -> None:
    assert wav_seconds(body) is None


def test_the_object_of_a_success_is_read_and_nothing_else() -> None:
    assert reply_object(a_reply({"id": "v1"})) == {"id": "v1"}
    assert reply_object(a_reply({"id": "v1"}, status=400)) == {}
    assert reply_object(a_reply(b"[1]")) == {}
    assert reply_object(None) == {}
