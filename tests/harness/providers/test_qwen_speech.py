import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from harness.clock import SystemClock
from harness.emulators.server import QwenOptions, running_qwen
from harness.exchanges import Exchange, Speech
from harness.providers.base import Admission, Deadline
from harness.providers.qwen import QwenProvider
from harness.providers.voices import VoiceRegistry
from harness.speech import Reference, SpeechRequest, Voice, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_request, a_voice
from tests.harness.providers.stubs import (
    Handler,
    Script,
    Till,
    a_server,
    a_wav,
    says,
    sends,
    streams,
)

OpenQwen = Callable[..., Awaitable[QwenProvider]]
SPEAK = "POST /api/v1/services/aigc/multimodal-generation/generation"
VOICES = "POST /api/v1/services/audio/tts/customization"
SIGNED = "Expires=1770650166&OSSAccessKeyId=X&Signature=canary%2Bsignature%3D"
WISH = a_request("Call me: 0171 5550123")  # 21 characters, 210 micro-dollars


@pytest.fixture
def anna(references: BlobStore) -> Voice:
    sha256 = references.put(a_wav(3.0), "wav")
    return a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="I am Anna, hello to you."))


async def asked(
    provider: QwenProvider, request: SpeechRequest, admission: Admission | None = None, *, seconds: float = 10.0
) -> Exchange:
    return await provider.synthesize(request, admission=admission or Till(), deadline=Deadline(SystemClock(), seconds))


def spoken(url: str, *, chars: Any = 21) -> Handler:
    audio = {"data": "", "expires_at": 1770650166, "id": "audio_r1", "url": url}
    output = {"audio": audio, "finish_reason": "stop"}
    return says({"output": output, "usage": {"characters": chars}, "request_id": "r1"})


def by_path(speech: Handler, *, voices: Handler | None = None) -> Handler:
    """One answer for synthesis, another for voices."""

    async def answer(request: web.Request) -> web.StreamResponse:
        chosen = voices if request.path.endswith("customization") else speech
        assert chosen is not None
        return await chosen(request)

    return answer


async def with_audio(open_qwen: OpenQwen, api: Script, oss: Script, **settings: Any) -> QwenProvider:
    return await open_qwen(api.url, also=(oss.authority,), **settings)


def piece_of(samples: bytes, *, chars: int = 21, end: bool = False) -> bytes:
    audio = {"data": base64.b64encode(samples).decode(), "id": "audio_r1"}
    output = {"finish_reason": "stop" if end else "null", "audio": audio}
    content = json.dumps({"output": output, "usage": {"characters": chars}, "request_id": "r1"})
    return f"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{content}\n\n".encode()


SILENCE = b"\x00\x00" * 12_000  # half a second
SOUND = b"\x40\x1f" * 12_000
END = piece_of(b"", end=True)
STREAMED = a_request("Call me: 0171 5550123", stream=True)


async def test_a_captured_stream_is_streamed_again_and_timed_to_its_first_sound(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(streams(piece_of(SILENCE, chars=9), piece_of(SOUND), END, gap_s=0.04)) as api:
        provider = await open_qwen(api.url, clock=SystemClock())
        exchange = await asked(provider, STREAMED, till)

    assert isinstance(exchange.result, Speech)
    assert exchange.result.audio.endswith(SILENCE + SOUND)
    assert (api.seen[0].headers["x-dashscope-sse"], api.seen[0].headers["accept"]) == ("enable", "text/event-stream")
    assert (exchange.cost.microusd, till.amounts, exchange.usage.reported_chars) == (210, [210], 21)
    assert (exchange.facts["delivery"], exchange.facts["stream_pieces"]) == ("stream", 2)
    assert exchange.timing.first_byte_s is not None
    assert exchange.timing.first_audio_s is not None
    assert exchange.timing.download_s is None
    # The first sound is half a second into the audio, and the stream was ahead of it by then.
    assert exchange.timing.first_audio_s - exchange.timing.first_byte_s == pytest.approx(0.5, abs=0.03)
    assert exchange.timing.service_s > exchange.timing.first_byte_s + 0.07


@pytest.mark.parametrize(
    ("delivery", "streamed", "expected"),
    [
        ("as_captured", True, "enable"),
        ("as_captured", False, None),
        ("stream", False, "enable"),
        ("file", True, None),
    ],
)
async def test_how_audio_is_handed_over_is_chosen_by_the_capture_or_a_setting(
    open_qwen: OpenQwen, delivery: str, streamed: bool, expected: str | None
) -> None:
    async with a_server(streams(piece_of(SOUND), END) if expected else spoken("http://127.0.0.1:1/x.wav")) as api:
        await asked(await open_qwen(api.url, delivery=delivery, max_attempts=1), replace(STREAMED, stream=streamed))

    assert api.seen[0].headers.get("x-dashscope-sse") == expected


async def test_a_stream_that_is_refused_before_it_begins_is_answered_in_json_and_tried_again(
    open_qwen: OpenQwen,
) -> None:
    throttled = says({"code": "Throttling.RateQuota", "message": "slow down", "request_id": "r0"}, 429)
    async with a_server(throttled, streams(piece_of(SOUND), END)) as api:
        exchange = await asked(await open_qwen(api.url), STREAMED)

    assert (exchange.outcome, exchange.attempts, exchange.facts["failed_attempts"]) == ("ok", 2, ["rate_limited"])


async def test_a_stream_asked_for_and_answered_as_a_file_is_taken_as_one(open_qwen: OpenQwen) -> None:
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav?{SIGNED}")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), STREAMED)

    assert exchange.outcome == "ok"
    assert "delivery" not in exchange.facts


THROTTLED = b'event:error\n:HTTP_STATUS/429\ndata:{"code":"Throttling","message":"m","request_id":"r1"}\n\n'


@pytest.mark.parametrize(
    ("pieces", "then", "outcome", "attempts", "booked"),
    [
        pytest.param((piece_of(SOUND),), "end", "truncated_audio", 1, None, id="ends early"),
        pytest.param((piece_of(SOUND),), "reset", "truncated_audio", 1, None, id="breaks after audio"),
        pytest.param((piece_of(SOUND),), "hang", "timeout_read", 1, None, id="stalls after audio"),
        pytest.param((piece_of(SOUND), THROTTLED), "end", "rate_limited", 1, None, id="an error after audio"),
        pytest.param((THROTTLED,), "end", "rate_limited", 2, 0, id="an error before audio"),
        pytest.param((b": ping\n\n",), "reset", "conn_reset", 2, None, id="breaks before audio"),
        pytest.param((END,), "end", "empty_audio", 1, 210, id="ends without audio"),
    ],
)
async def test_a_stream_that_goes_wrong_is_not_said_twice_once_it_was_heard(
    open_qwen: OpenQwen, pieces: tuple[bytes, ...], then: str, outcome: str, attempts: int, booked: int | None
) -> None:
    till = Till()
    async with a_server(streams(*pieces, gap_s=0.02, then=then)) as api:
        provider = await open_qwen(api.url, max_attempts=2, read_timeout_s=0.1)
        exchange = await asked(provider, STREAMED, till)

    assert (exchange.outcome, exchange.attempts) == (outcome, attempts)
    assert till.amounts == [booked] * attempts


async def test_realtime_speech_comes_over_a_conversation_with_models_of_its_own(open_qwen: OpenQwen) -> None:
    till = Till()
    async with running_qwen(QwenOptions(time_scale=0.001)) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery="realtime")
        exchange = await asked(provider, WISH, till)

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.model == "qwen3-tts-flash-realtime"
    assert exchange.facts["delivery"] == "realtime"
    assert exchange.usage.reported_chars == 21
    assert exchange.timing.first_byte_s is not None
    assert exchange.timing.first_audio_s is not None
    assert len(till.admitted) == 1


async def test_a_voice_made_for_realtime_is_another_than_the_one_for_files(
    open_qwen: OpenQwen, anna: Voice, registry: VoiceRegistry
) -> None:
    async with running_qwen(QwenOptions(time_scale=0.001)) as standin:
        for delivery in ("file", "realtime"):
            provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery=delivery)
            await provider.prepare_voice(anna, language="en", admission=Till(), deadline=Deadline(SystemClock(), 9.0))
        exchange = await asked(provider, a_request(voice=anna))

    assert [key.target_model for key in registry.all().values()] == [
        "qwen3-tts-vc-2026-01-22",
        "qwen3-tts-vc-realtime-2026-01-15",
    ]
    assert exchange.outcome == "ok"


async def test_a_refused_handshake_is_an_outcome(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(says({"code": "InvalidApiKey"}, 401)) as api:
        exchange = await asked(await open_qwen(api.url, delivery="realtime"), WISH, till)

    assert exchange.outcome == "auth"
    assert till.amounts == [0]
    assert [(seen.path, seen.query) for seen in api.seen] == [("/api-ws/v1/realtime", "model=qwen3-tts-flash-realtime")]


@pytest.mark.parametrize("scenario", ["stream", "realtime"])
async def test_the_stand_in_streams_what_the_file_would_hold(open_qwen: OpenQwen, scenario: str) -> None:
    async with running_qwen(QwenOptions(time_scale=0.001)) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery=scenario)
        exchange = await asked(provider, WISH)

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.result.sample_rate_hz == 24_000
    assert len(exchange.result.audio) > 24_000
