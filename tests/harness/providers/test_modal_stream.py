import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import running_modal
from harness.errors import ErrorKind
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.base import Deadline
from harness.providers.modal import ModalProvider
from harness.providers.modal_stream import EVENTS, Ears, OmniStream
from harness.speech import Operation, SpeechRequest
from tests.builders import a_request, a_voice
from tests.harness.providers.stubs import (
    Audience,
    Handler,
    Till,
    a_server,
    a_wav,
    says,
    sends,
    speaks_until_left,
    streams,
)
from tests.virtual_time import VirtualClock

OpenModal = Callable[..., Awaitable[ModalProvider]]
SOUND = b"\x40\x1f" * 12_000
SAMPLES = b"\x01\x00\x02\x00"
# As documented (providers.md B3), the audio two samples long.
DELTA = b'event: speech.audio.delta\ndata: {"type":"speech.audio.delta","audio":"AQACAA==","response_format":"pcm"}\n\n'
DONE = (
    b"event: speech.audio.done\n"
    b'data: {"type":"speech.audio.done","usage":{"input_tokens":12,"output_tokens":34,"total_tokens":46}}\n\n'
)
ERROR = (
    b"event: speech.audio.error\n"
    b'data: {"type":"speech.audio.error","error":{"message":"EngineCore encountered an issue.",'
    b'"type":"InternalServerError","param":null,"code":500}}\n\n'
)


def a_stream(*pieces: bytes, content_type: str = EVENTS) -> OmniStream:
    stream = OmniStream(FakeClock(), private=("my secret words",))
    for piece in pieces:
        stream.feed(content_type, piece)
    stream.close()
    return stream


def test_a_whole_stream_is_its_samples_and_its_tokens() -> None:
    stream = a_stream(DELTA, DELTA, DONE)

    assert stream.problem is None
    assert bytes(stream.pcm.data) == SAMPLES * 2
    assert stream.account == {"input-tokens": "12", "output-tokens": "34", "total-tokens": "46"}
    assert stream.facts() == {"delivery": "stream", "stream_pieces": 2, "stream_paused_s": 0.0}


@pytest.mark.parametrize("cut", range(1, len(DELTA + DONE), 7))
def test_it_comes_together_wherever_it_is_cut(cut: int) -> None:
    whole = DELTA + DONE
    stream = a_stream(whole[:cut], whole[cut:])

    assert (stream.problem, bytes(stream.pcm.data)) == (None, SAMPLES)


def test_bare_samples_are_audio_too_and_end_with_the_reply() -> None:
    stream = a_stream(b"\x01", b"\x00\x02\x00", content_type="audio/pcm")

    assert (stream.problem, bytes(stream.pcm.data)) == (None, SAMPLES)


@pytest.mark.parametrize("last", [DONE[:-1], DONE[:-2], DONE + b"data: [DONE]\n\n"])
def test_the_liberties_servers_take_with_the_end_are_harmless(last: bytes) -> None:
    assert a_stream(DELTA, last).problem is None


def test_a_whole_file_is_not_heard_as_a_stream() -> None:
    stream = a_stream(a_wav(), content_type="audio/wav")

    assert (stream.is_heard_of, stream.heard) == (False, False)


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        pytest.param((DELTA,), ErrorKind.TRUNCATED_AUDIO, id="no end"),
        pytest.param((DELTA, ERROR), ErrorKind.OVERLOADED, id="an error"),
        pytest.param((ERROR.replace(b"500", b"400"),), ErrorKind.BAD_REQUEST, id="its own status"),
        pytest.param((ERROR.replace(b"500", b'"engine_dead"'),), ErrorKind.OVERLOADED, id="a word for a status"),
        pytest.param((b'data: {"type":"speech.audio.error"}\n\n',), ErrorKind.OVERLOADED, id="an error without words"),
        pytest.param((DELTA.replace(b"AQACAA==", b"*"), DONE), ErrorKind.BAD_RESPONSE, id="not base64"),
        pytest.param((b"data: hello\n\n",), ErrorKind.BAD_RESPONSE, id="not JSON"),
        pytest.param((b'data: {"audio":"AQACAA=="}\n\n',), ErrorKind.BAD_RESPONSE, id="no type"),
        pytest.param((b"", b": ping\n\n"), ErrorKind.BAD_RESPONSE, id="no event"),
    ],
)
def test_what_goes_wrong_in_it_is_told_by_its_kind(pieces: tuple[bytes, ...], kind: ErrorKind) -> None:
    problem = a_stream(*pieces).problem

    assert problem is not None
    assert problem.kind is kind


def test_an_error_does_not_repeat_the_callers_words() -> None:
    problem = a_stream(ERROR.replace(b"EngineCore encountered an issue.", b"bad input: my secret words")).problem

    assert problem is not None
    assert "secret" not in problem.detail


async def test_without_a_relay_nothing_is_heard() -> None:
    ears = Ears(FakeClock(), None, private=())
    reset = Failure(kind=ErrorKind.CONN_RESET, code=None, detail="")

    assert (ears.listener(), ears.heard, await ears.close()) == (None, False, None)
    assert ears.failure_after(reset) is reset


PRESET = a_voice(id="Vivian")


async def asked(
    provider: ModalProvider, audience: Audience | None, *, till: Till | None = None, **changes: Any
) -> Exchange:
    request: SpeechRequest = a_request(voice=PRESET, **changes)
    deadline = Deadline(VirtualClock(), 10.0)
    return await provider.synthesize(request, admission=till or Till(), deadline=deadline, sink=audience)


def delta_of(samples: bytes) -> bytes:
    content = {"type": "speech.audio.delta", "audio": base64.b64encode(samples).decode(), "response_format": "pcm"}
    return f"event: speech.audio.delta\ndata: {json.dumps(content)}\n\n".encode()


async def test_the_sink_hears_each_piece_long_before_the_reply_ends(open_modal: OpenModal) -> None:
    audience = Audience()
    async with a_server(streams(delta_of(SOUND), delta_of(SOUND), DONE, gap_s=0.06)) as server:
        provider = await open_modal(server.url, dialect="openai", clock=VirtualClock())
        exchange = await asked(provider, audience)
        ended_s = VirtualClock().monotonic()

    assert isinstance(exchange.result, Speech)
    assert exchange.result.audio.endswith(SOUND + SOUND)
    assert (audience.rates_hz, audience.pieces) == ([24_000], [SOUND, SOUND])
    assert ended_s - audience.heard_at_s[0] > 0.1
    assert server.seen[0].json["stream"] is True
    assert (server.seen[0].json["response_format"], server.seen[0].json["stream_format"]) == ("pcm", "sse")
    assert exchange.facts["tokens"] == {"input-tokens": "12", "output-tokens": "34", "total-tokens": "46"}
    assert exchange.facts["listener_bytes"] == 2 * len(SOUND)
    assert exchange.timing.first_audio_s is not None
    assert exchange.timing.first_audio_s < exchange.timing.service_s


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(streams(SOUND, SOUND, gap_s=0.03, content_type="audio/pcm"), "ok", id="bare samples"),
        pytest.param(
            streams(SOUND, gap_s=0.03, then="reset", content_type="audio/pcm"), "conn_reset", id="cut bare samples"
        ),
    ],
)
async def test_a_server_that_streams_bare_samples_is_heard_as_well(
    open_modal: OpenModal, answer: Handler, outcome: str
) -> None:
    audience = Audience()
    async with a_server(answer) as server:
        exchange = await asked(await open_modal(server.url, dialect="openai"), audience)

    assert (exchange.outcome, exchange.attempts) == (outcome, 1)
    assert audience.pcm == SOUND * (2 if outcome == "ok" else 1)


async def test_a_server_that_sends_a_whole_file_all_the_same_is_taken_at_its_word(open_modal: OpenModal) -> None:
    audience = Audience()
    async with a_server(sends(a_wav())) as server:
        exchange = await asked(await open_modal(server.url, dialect="openai"), audience)

    assert isinstance(exchange.result, Speech)
    assert exchange.result.audio == a_wav()
    assert audience.pieces == []
    assert "delivery" not in exchange.facts


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        pytest.param({}, {"dialect": "endpoints"}, id="a dialect that does not stream"),
        pytest.param({"operation": Operation.DESIGN}, {"dialect": "openai"}, id="a design"),
    ],
)
async def test_where_nothing_is_streamed_the_sink_hears_nothing(
    open_modal: OpenModal, changes: dict[str, Any], settings: dict[str, Any]
) -> None:
    audience = Audience()
    request = a_request(**changes) if changes else a_request(voice=PRESET)
    async with a_server(sends(a_wav())) as server:
        provider = await open_modal(server.url, **settings)
        exchange = await provider.synthesize(
            request, admission=Till(), deadline=Deadline(VirtualClock(), 5.0), sink=audience
        )

    assert (exchange.outcome, audience.rates_hz) == ("ok", [])
    assert "stream" not in server.seen[0].json


async def test_a_captured_stream_is_streamed_again_without_anybody_listening(open_modal: OpenModal) -> None:
    async with a_server(streams(delta_of(SOUND), DONE)) as server:
        exchange = await asked(await open_modal(server.url, dialect="openai"), None, stream=True)

    assert (exchange.outcome, exchange.facts["delivery"]) == ("ok", "stream")
    assert "listener_bytes" not in exchange.facts


@pytest.mark.parametrize(
    ("answers", "outcome", "attempts", "heard"),
    [
        pytest.param([streams(delta_of(SOUND), ERROR)], "overloaded", 1, 1, id="an error after audio"),
        pytest.param([streams(delta_of(SOUND), gap_s=0.03, then="reset")], "truncated_audio", 1, 1, id="cut"),
        pytest.param([streams(delta_of(SOUND), gap_s=0.01, then="hang")], "timeout_read", 1, 1, id="stalled"),
        pytest.param([streams(ERROR), streams(delta_of(SOUND), DONE)], "ok", 2, 1, id="an error before audio"),
        pytest.param(
            [says({"error": {"message": "busy", "code": 503}}, 503), streams(delta_of(SOUND), DONE)],
            "ok",
            2,
            1,
            id="refused before it began",
        ),
    ],
)
async def test_what_was_heard_is_never_said_again(
    open_modal: OpenModal, answers: list[Handler], outcome: str, attempts: int, heard: int
) -> None:
    audience, till = Audience(), Till()
    async with a_server(*answers) as server:
        provider = await open_modal(server.url, dialect="openai", read_timeout_s=0.15)
        exchange = await asked(provider, audience, till=till)

    assert (exchange.outcome, exchange.attempts, len(audience.pieces)) == (outcome, attempts, heard)
    assert till.amounts[-1] is None or outcome == "ok"


async def test_a_stream_behind_a_redirect_is_heard_and_not_fetched_twice(open_modal: OpenModal) -> None:
    audience = Audience()
    follow = sends(b"", 303, location="/v1/audio/speech?__modal_function_call_id=fc-1")
    cut = streams(delta_of(SOUND), gap_s=0.03, then="reset")
    async with a_server(follow, cut) as server:
        exchange = await asked(await open_modal(server.url, dialect="openai"), audience)

    assert (exchange.outcome, audience.pieces) == ("truncated_audio", [SOUND])
    assert server.paths() == ["POST /v1/audio/speech", "GET /v1/audio/speech"]


async def test_a_listener_who_leaves_ends_the_call_and_its_connection(open_modal: OpenModal) -> None:
    audience, till = Audience(leaves_at=2), Till()
    async with a_server(speaks_until_left(delta_of(SOUND))) as server:
        exchange = await asked(await open_modal(server.url, dialect="openai"), audience, till=till)
        # The server speaks for as long as somebody is connected, so that leaving this block proves it too.

    assert (exchange.outcome, exchange.attempts, len(audience.pieces)) == ("cancelled", 1, 2)
    assert exchange.facts["listener_bytes"] == 3 * len(SOUND)
    assert till.amounts == [None]


async def test_the_stand_in_streams_to_the_sink_what_the_file_holds(open_modal: OpenModal) -> None:
    audience = Audience()
    async with running_modal(ModalOptions(time_scale=0.001, dialect=Dialect.VLLM), clock=VirtualClock()) as standin:
        exchange = await asked(await open_modal(standin.base_url, dialect="openai"), audience)

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.result.audio[44:] == audience.pcm
    assert len(audience.pieces) > 1 or len(audience.pcm) < 96_000
