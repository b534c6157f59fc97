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
    Audience,
    Handler,
    Script,
    Till,
    a_server,
    a_wav,
    says,
    sends,
    speaks_until_left,
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
    return f"event:result\n:HTTP_STATUS/200\ndata:{content}\n\n".encode()


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


async def heard(
    provider: QwenProvider, audience: Audience, request: SpeechRequest = WISH, till: Till | None = None
) -> Exchange:
    deadline = Deadline(SystemClock(), 10.0)
    return await provider.synthesize(request, admission=till or Till(), deadline=deadline, sink=audience)


async def test_a_sink_hears_each_piece_long_before_the_stream_ends(open_qwen: OpenQwen) -> None:
    audience = Audience()
    async with a_server(streams(piece_of(SILENCE), piece_of(SOUND), END, gap_s=0.06)) as api:
        exchange = await heard(await open_qwen(api.url), audience)
        ended_s = SystemClock().monotonic()

    assert isinstance(exchange.result, Speech)
    assert exchange.result.audio.endswith(SILENCE + SOUND)
    assert (audience.rates_hz, audience.pieces) == ([24_000], [SILENCE, SOUND])
    assert ended_s - audience.heard_at_s[0] > 0.1
    assert exchange.facts["listener_bytes"] == len(SILENCE + SOUND)


async def test_a_sink_makes_a_wish_a_stream_unless_files_are_set(open_qwen: OpenQwen) -> None:
    audience = Audience()
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav?{SIGNED}")) as api:
        exchange = await heard(await with_audio(open_qwen, api, oss, delivery="file"), audience)

    assert (exchange.outcome, audience.rates_hz) == ("ok", [])
    assert "x-dashscope-sse" not in api.seen[0].headers


async def test_a_last_piece_without_its_blank_line_reaches_the_sink_too(open_qwen: OpenQwen) -> None:
    audience = Audience()
    async with a_server(streams(piece_of(SILENCE), piece_of(SOUND, end=True)[:-2])) as api:
        exchange = await heard(await open_qwen(api.url), audience)

    assert (exchange.outcome, audience.pcm) == ("ok", SILENCE + SOUND)


@pytest.mark.parametrize(
    ("answers", "outcome", "attempts", "pieces"),
    [
        pytest.param([streams(THROTTLED), streams(piece_of(SOUND), END)], "ok", 2, 1, id="an error before audio"),
        pytest.param([streams(piece_of(SOUND), THROTTLED)], "rate_limited", 1, 1, id="an error after audio"),
        pytest.param([streams(piece_of(SOUND), gap_s=0.03, then="reset")], "truncated_audio", 1, 1, id="cut"),
        pytest.param(
            [streams(b": ping\n\n", gap_s=0.02, then="reset"), streams(piece_of(SOUND), END)],
            "ok",
            2,
            1,
            id="cut before audio",
        ),
    ],
)
async def test_what_a_sink_heard_is_never_said_again(
    open_qwen: OpenQwen, answers: list[Handler], outcome: str, attempts: int, pieces: int
) -> None:
    audience = Audience()
    async with a_server(*answers) as api:
        exchange = await heard(await open_qwen(api.url), audience)

    assert (exchange.outcome, exchange.attempts) == (outcome, attempts)
    assert audience.pieces == [SOUND] * pieces
    assert audience.rates_hz == [24_000]


async def test_a_listener_who_leaves_ends_the_call_and_its_connection(open_qwen: OpenQwen) -> None:
    audience, till = Audience(leaves_at=1), Till()
    async with a_server(speaks_until_left(piece_of(SOUND))) as api:  # cannot be left while a connection is open
        exchange = await heard(await open_qwen(api.url), audience, till=till)

    assert (exchange.outcome, exchange.attempts, audience.pieces) == ("cancelled", 1, [SOUND])
    assert till.amounts == [None]


async def test_a_listener_at_fault_is_told_and_its_call_ended(open_qwen: OpenQwen) -> None:
    audience, till = Audience(leaves_at=0, error=TypeError("our own bug")), Till()
    async with a_server(speaks_until_left(piece_of(SOUND))) as api:
        provider = await open_qwen(api.url)
        with pytest.raises(TypeError, match="our own bug"):
            await heard(provider, audience, till=till)

    assert till.amounts == [None]


async def test_a_slow_listener_holds_the_provider_back_and_is_not_taken_for_a_slow_provider(
    open_qwen: OpenQwen,
) -> None:
    audience = Audience(takes_s=0.12)
    async with a_server(streams(piece_of(SOUND), piece_of(SOUND), END)) as api:
        provider = await open_qwen(api.url, clock=SystemClock(), read_timeout_s=0.08)
        exchange = await heard(provider, audience)

    assert (exchange.outcome, audience.pcm) == ("ok", SOUND + SOUND)
    waited_s = exchange.facts["listener_waited_s"]
    assert isinstance(waited_s, float)
    assert waited_s >= 0.12


async def test_a_listener_too_slow_for_the_deadline_cancels_the_call(open_qwen: OpenQwen) -> None:
    async with a_server(streams(piece_of(SOUND), END)) as api:
        provider = await open_qwen(api.url)
        exchange = await provider.synthesize(
            WISH, admission=Till(), deadline=Deadline(SystemClock(), 0.1), sink=Audience(takes_s=5.0)
        )

    assert (exchange.outcome, exchange.attempts) == ("cancelled", 1)


@pytest.mark.parametrize("delivery", ["stream", "realtime"])
async def test_the_stand_in_speaks_to_the_sink_what_the_exchange_holds(open_qwen: OpenQwen, delivery: str) -> None:
    audience = Audience()
    async with running_qwen(QwenOptions(time_scale=0.001)) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery=delivery)
        exchange = await heard(provider, audience)

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.result.audio[44:] == audience.pcm
    assert audience.rates_hz == [24_000]


async def test_a_listener_who_leaves_ends_a_conversation(open_qwen: OpenQwen) -> None:
    till = Till()
    async with running_qwen(QwenOptions(time_scale=0.001)) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery="realtime")
        exchange = await heard(provider, Audience(leaves_at=0), till=till)

    assert (exchange.outcome, exchange.attempts, till.amounts) == ("cancelled", 1, [None])


LEGACY = {"generate_model": "qwen-tts", "region": "cn-beijing"}
TOKENS = {"characters": 0, "input_tokens": 20, "output_tokens": 135, "total_tokens": 155}


def token_billed(url: str) -> Handler:
    output = {"audio": {"data": "", "id": "audio_r1", "url": url}, "finish_reason": "stop"}
    return says({"output": output, "usage": TOKENS, "request_id": "r1"})


async def test_a_model_that_is_billed_by_tokens_costs_what_they_cost_and_not_nothing(open_qwen: OpenQwen) -> None:
    async with a_server(sends(a_wav())) as oss, a_server(token_billed(f"{oss.url}/x.wav")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss, **LEGACY), WISH)

    assert exchange.facts["tokens"] == {"input_tokens": 20, "output_tokens": 135}
    assert "chars_drift" not in exchange.facts
    assert exchange.cost.microusd == 5 + 194  # 4.6 and 193.59, each rounded up
    assert exchange.cost.basis.startswith("reported tokens")


async def test_tokens_of_a_stream_are_those_of_its_last_event(open_qwen: OpenQwen) -> None:
    pieces = []
    for tokens in (48, 135):
        audio = {"data": base64.b64encode(b"\x40\x1f" * 12_000).decode(), "id": "audio_r1"}
        output = {"finish_reason": "stop" if tokens == 135 else "null", "audio": audio}
        content = json.dumps({"output": output, "usage": TOKENS | {"output_tokens": tokens}, "request_id": "r1"})
        pieces.append(f"event:result\ndata:{content}\n\n".encode())
    async with a_server(streams(*pieces)) as api:
        exchange = await asked(await open_qwen(api.url, **LEGACY), replace(WISH, stream=True))

    assert exchange.facts["tokens"] == {"input_tokens": 20, "output_tokens": 135}
    assert exchange.cost.microusd == 199


async def test_characters_that_are_reported_as_none_at_all_are_an_alarm_and_not_free(open_qwen: OpenQwen) -> None:
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav", chars=0)) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH)

    assert exchange.facts["chars_drift"] == -21
    assert (exchange.usage.reported_chars, exchange.cost.microusd) == (0, 210)
    assert exchange.cost.basis.startswith("counted characters")


@pytest.mark.parametrize("mode", ["server_commit", "commit"])
async def test_a_text_is_spoken_whole_whoever_decides_where_it_is_split(open_qwen: OpenQwen, mode: str) -> None:
    audience, request = Audience(), a_request("Good morning. And a good evening. Good night!")
    async with running_qwen(QwenOptions(time_scale=0.001)) as standin:
        provider = await open_qwen(
            standin.base_url, api_key=SecretStr("sk-stand-in"), delivery="realtime", realtime_mode=mode
        )
        exchange = await heard(provider, audience, request)
        billed = standin.account.meter()["total"]["characters"]

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.usage.reported_chars == billed == len(request.text)
    assert exchange.result.audio[44:] == audience.pcm
