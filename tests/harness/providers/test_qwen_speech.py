import base64
import json
from dataclasses import replace

import pytest
from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from harness.clock import FakeClock
from harness.emulators.server import QwenOptions, running_qwen
from harness.errors import ErrorKind
from harness.exchanges import Failure, Speech
from tests.builders import a_request
from tests.canaries import QWEN_KEY
from tests.harness.providers.qwen_calls import (
    END,
    SIGNED,
    SILENCE,
    SOUND,
    STREAMED,
    THROTTLED,
    WISH,
    OpenQwen,
    asked,
    piece_of,
    spoken,
    with_audio,
)
from tests.harness.providers.stubs import (
    CANARY,
    Handler,
    Till,
    a_raw_server,
    a_server,
    a_wav,
    connections,
    says,
    sends,
    streams,
)
from tests.virtual_time import VirtualClock


async def test_speech_is_asked_for_downloaded_and_paid_for(open_qwen: OpenQwen) -> None:
    till = Till()
    audio = a_wav(silence_s=0.25)
    async with a_server(sends(audio)) as oss, a_server(spoken(f"{oss.url}/1d/x.wav?{SIGNED}")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH, till)

    assert exchange.result == Speech(audio=audio, extension="wav", sample_rate_hz=24_000)
    assert (exchange.provider, exchange.model, exchange.region) == ("qwen", "qwen3-tts-flash", "ap-southeast-1")
    assert (exchange.voice_id, exchange.provider_request_id, exchange.attempts) == ("Cherry", "r1", 1)
    assert (exchange.usage.unit, exchange.usage.units, exchange.usage.counted_chars) == ("characters", 21.0, 21)
    assert exchange.cost.microusd == 210
    assert exchange.cost.basis.startswith("reported characters; prices ")
    assert exchange.facts == {"audio_id": "audio_r1", "finish_reason": "stop", "expires_at": 1770650166}
    assert [(call.provider, call.purpose, call.attempt, call.worst_microusd) for call in till.admitted] == [
        ("qwen", "speak", 1, 210)
    ]
    assert till.amounts == [210]
    assert (exchange.cold, exchange.redirect_hops) == (None, 0)


async def test_the_audio_is_fetched_by_its_signed_address_as_it_is_and_without_the_key(open_qwen: OpenQwen) -> None:
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/1d/x.wav?{SIGNED}")) as api:
        await asked(await with_audio(open_qwen, api, oss), WISH)

    assert [(seen.path, seen.query) for seen in oss.seen] == [("/1d/x.wav", SIGNED)]
    assert "authorization" not in oss.seen[0].headers
    assert api.seen[0].headers["authorization"] == f"Bearer {CANARY}"


async def test_an_unknown_price_is_admitted_as_unknown_and_booked_as_unknown(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), a_request(instructions="whisper"), till)

    assert exchange.outcome == "ok"
    assert [call.worst_microusd for call in till.admitted] == [None]
    assert till.amounts == [None]
    assert exchange.cost.microusd is None


async def test_other_characters_than_we_counted_are_billed_as_reported_and_noted(open_qwen: OpenQwen) -> None:
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav", chars=25)) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH)

    assert exchange.facts["chars_drift"] == 4
    assert (exchange.usage.reported_chars, exchange.usage.counted_chars, exchange.cost.microusd) == (25, 21, 250)


async def test_without_a_report_our_own_count_is_billed(open_qwen: OpenQwen) -> None:
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav", chars=None)) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH)

    assert exchange.cost.microusd == 210
    assert exchange.cost.basis.startswith("counted characters")
    assert exchange.usage.reported_chars is None


@pytest.mark.parametrize(
    ("answers", "outcome", "fetches"),
    [
        pytest.param([sends(b"", 503), sends(a_wav())], "ok", 2, id="one hiccup"),
        pytest.param([sends(a_wav()[:99], 403), sends(a_wav())], "ok", 2, id="a signature not known yet"),
        pytest.param([sends(b"<Code>AccessDenied</Code>", 403)], "url_expired", 3, id="expired"),
        pytest.param([sends(b"", 500)], "overloaded", 3, id="always failing"),
        pytest.param([sends(b"", 302, location="https://evil.example/")], "bad_response", 3, id="redirect"),
        pytest.param([sends(b"<html>error</html>")], "bad_audio", 1, id="page"),
        pytest.param([says({"code": "x"})], "bad_audio", 1, id="json"),
        pytest.param([sends(b"")], "empty_audio", 1, id="nothing"),
        pytest.param([sends(a_wav(0.0))], "empty_audio", 1, id="only a header"),
        pytest.param([sends(a_wav()[:-200])], "truncated_audio", 1, id="cut off"),
        pytest.param([sends(b"x" * 2_000_000)], "too_large", 1, id="too large"),
    ],
)
async def test_audio_that_is_paid_for_is_fetched_again_without_paying_again(
    open_qwen: OpenQwen, answers: list[Handler], outcome: str, fetches: int
) -> None:
    till = Till()
    async with a_server(*answers) as oss, a_server(spoken(f"{oss.url}/x.wav?{SIGNED}")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss, max_reply_bytes=1_000_000), WISH, till)

    assert exchange.outcome == outcome
    assert len(oss.seen) == fetches
    assert len(api.seen) == 1
    assert till.amounts == [210]
    assert exchange.cost.microusd == 210


@pytest.mark.parametrize("then", ["close", "reset"])
async def test_a_download_cut_off_midway_is_never_taken_for_audio(open_qwen: OpenQwen, then: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 90000\r\n\r\n"
    async with a_raw_server(head + a_wav(), then=then) as oss, a_server(spoken(f"{oss}/x.wav")) as api:
        provider = await open_qwen(api.url, also=(URL(oss).authority,))

        exchange = await asked(provider, WISH)

    assert exchange.outcome == "conn_reset"


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/x.wav",
        "https://localhost/x.wav",
        "file:///etc/passwd",
        "ftp://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/x.wav",
        "https://dashscope-result-bj.oss-cn-beijing.aliyuncs.com.evil.example/x.wav",
        "https://evil.example/x.wav",
        "http://[::ffff:169.254.169.254]/x.wav",
        "https://2130706433/x.wav",
        "https://u:p@dashscope-result-bj.oss-cn-beijing.aliyuncs.com/x.wav",
        "not an address",
    ],
)
async def test_a_hostile_audio_address_opens_no_connection(open_qwen: OpenQwen, address: str) -> None:
    till = Till()
    async with a_server(spoken(address)) as api:
        provider = await open_qwen(api.url)
        with connections() as found:
            exchange = await asked(provider, WISH, till)

    assert isinstance(exchange.result, Failure)
    assert (exchange.result.kind, exchange.result.code) == (ErrorKind.BAD_RESPONSE, "local.audio_address")
    assert {arguments[0][1] for _, arguments in found if arguments} == {URL(api.url).port}  # type: ignore[index,misc]
    assert len(api.seen) == 1
    assert till.amounts == [210]


async def test_reply_and_download_are_timed_apart(open_qwen: OpenQwen, clock: FakeClock) -> None:
    def after(seconds: float, answer: Handler) -> Handler:
        async def slowly(request: web.Request) -> web.StreamResponse:
            clock.advance(seconds)
            return await answer(request)

        return slowly

    audio = sends(a_wav(silence_s=0.25))
    async with a_server(after(2.0, audio)) as oss, a_server(after(3.0, spoken(f"{oss.url}/x.wav"))) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH)

    timing = exchange.timing
    assert (timing.first_byte_s, timing.download_s, timing.service_s) == (3.0, 2.0, 5.0)
    assert timing.first_audio_s == 5.25
    assert timing.connect_s is not None


async def test_audio_is_heard_from_its_first_byte_not_its_last(open_qwen: OpenQwen, clock: FakeClock) -> None:
    async def in_two_parts(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(a_wav()[:100])
        await VirtualClock().sleep(0.05)
        clock.advance(4.0)
        await response.write(a_wav()[100:])
        return response

    async with a_server(in_two_parts) as oss, a_server(spoken(f"{oss.url}/x.wav")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH)

    assert (exchange.timing.first_audio_s, exchange.timing.download_s) == (0.0, 4.0)


async def test_a_captured_stream_is_streamed_again_and_timed_to_its_first_sound(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(streams(piece_of(SILENCE, chars=9), piece_of(SOUND), END, gap_s=0.04)) as api:
        provider = await open_qwen(api.url, clock=VirtualClock())
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


@pytest.mark.parametrize("scenario", ["stream", "realtime"])
async def test_the_stand_in_streams_what_the_file_would_hold(open_qwen: OpenQwen, scenario: str) -> None:
    async with running_qwen(QwenOptions(time_scale=0.001), clock=VirtualClock()) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr(QWEN_KEY), delivery=scenario)
        exchange = await asked(provider, WISH)

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.result.sample_rate_hz == 24_000
    assert len(exchange.result.audio) > 24_000


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
