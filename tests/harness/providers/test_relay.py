import pytest
from pydantic import SecretStr

from harness.clock import FakeClock
from harness.emulators.server import QwenOptions, running_qwen
from harness.errors import ErrorKind
from harness.exchanges import Failure, Speech
from harness.providers.base import Deadline
from harness.providers.pcm_stream import PcmStream
from harness.providers.relay import Relay, SinkFailed
from tests.harness.providers.qwen_calls import (
    END,
    SIGNED,
    SILENCE,
    SOUND,
    THROTTLED,
    WISH,
    OpenQwen,
    heard,
    piece_of,
    spoken,
    with_audio,
)
from tests.harness.providers.stubs import Audience, Handler, Till, a_server, a_wav, sends, speaks_until_left, streams
from tests.virtual_time import VirtualClock

LATE = Failure(kind=ErrorKind.TIMEOUT_TOTAL, code=None, detail="the deadline passed")
RESET = Failure(kind=ErrorKind.CONN_RESET, code=None, detail="the connection broke")


def a_relay(audience: Audience | None, *, seconds: float = 10.0) -> Relay:
    return Relay(audience, Deadline(VirtualClock(), seconds), FakeClock())


async def passed(*pieces: bytes, audience: Audience) -> Relay:
    """A relay after these pieces have arrived one after the other."""
    relay, pcm = a_relay(audience), PcmStream()
    for piece in pieces:
        pcm.add(piece, at_s=0.0)
        await relay.pass_on(pcm)
    return relay


async def test_each_piece_is_passed_on_when_it_arrives_after_one_word_about_its_rate() -> None:
    audience = Audience()

    relay = await passed(b"abcd", b"ef", b"ghij", audience=audience)

    assert audience.rates_hz == [24_000]
    assert audience.pieces == [b"abcd", b"ef", b"ghij"]
    assert relay.facts() == {"listener_bytes": 10, "listener_waited_s": 0.0}


async def test_half_a_sample_waits_for_its_other_half() -> None:
    audience = Audience()

    await passed(b"abcde", b"f", b"g", audience=audience)

    assert audience.pieces == [b"abcd", b"ef"]


async def test_what_may_yet_be_the_head_of_a_file_waits_and_a_file_is_not_passed_on() -> None:
    audience = Audience()

    relay = await passed(b"RI", b"FF", b"....WAVE", audience=audience)

    assert (audience.rates_hz, audience.pieces, relay.facts()) == ([], [], {})


async def test_a_first_sample_that_looks_like_a_file_is_passed_on_once_it_is_none() -> None:
    audience = Audience()

    await passed(b"RI", b"ab", audience=audience)

    assert audience.pieces == [b"RIab"]


async def test_without_anybody_listening_nothing_happens() -> None:
    relay, pcm = a_relay(None), PcmStream()
    pcm.add(b"abcd", at_s=0.0)

    await relay.pass_on(pcm)

    assert (relay.is_wanted, relay.facts()) == (False, {})


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), TimeoutError()])
async def test_a_listener_that_left_makes_the_call_a_cancelled_one(error: Exception) -> None:
    with pytest.raises(SinkFailed) as gone:
        await passed(b"abcd", audience=Audience(leaves_at=0, error=error))

    assert gone.value.failure().kind is ErrorKind.CANCELLED


async def test_a_listener_at_fault_is_not_taken_for_one_that_left() -> None:
    with pytest.raises(SinkFailed) as gone:
        await passed(b"abcd", audience=Audience(leaves_at=0, error=TypeError("our own bug")))

    with pytest.raises(TypeError, match="our own bug"):
        gone.value.failure()


async def test_a_deadline_that_passes_while_the_listener_is_busy_is_not_the_providers_fault() -> None:
    relay, pcm = a_relay(Audience(takes_s=5.0), seconds=0.03), PcmStream()
    pcm.add(b"abcd", at_s=0.0)

    with pytest.raises(SinkFailed):
        await relay.pass_on(pcm)

    assert relay.blamed(LATE).kind is ErrorKind.CANCELLED
    assert relay.blamed(RESET) is RESET


async def test_a_deadline_that_passes_while_the_provider_is_busy_is_its_own() -> None:
    assert (await passed(b"abcd", audience=Audience())).blamed(LATE) is LATE


async def test_a_sink_hears_each_piece_long_before_the_stream_ends(open_qwen: OpenQwen) -> None:
    audience = Audience()
    async with a_server(streams(piece_of(SILENCE), piece_of(SOUND), END, gap_s=0.06)) as api:
        exchange = await heard(await open_qwen(api.url), audience)
        ended_s = VirtualClock().monotonic()

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
        provider = await open_qwen(api.url, clock=VirtualClock(), read_timeout_s=0.08)
        exchange = await heard(provider, audience)

    assert (exchange.outcome, audience.pcm) == ("ok", SOUND + SOUND)
    waited_s = exchange.facts["listener_waited_s"]
    assert isinstance(waited_s, float)
    assert waited_s >= 0.12


async def test_a_listener_too_slow_for_the_deadline_cancels_the_call(open_qwen: OpenQwen) -> None:
    async with a_server(streams(piece_of(SOUND), END)) as api:
        provider = await open_qwen(api.url)
        exchange = await provider.synthesize(
            WISH, admission=Till(), deadline=Deadline(VirtualClock(), 0.1), sink=Audience(takes_s=5.0)
        )

    assert (exchange.outcome, exchange.attempts) == ("cancelled", 1)


@pytest.mark.parametrize("delivery", ["stream", "realtime"])
async def test_the_stand_in_speaks_to_the_sink_what_the_exchange_holds(open_qwen: OpenQwen, delivery: str) -> None:
    audience = Audience()
    async with running_qwen(QwenOptions(time_scale=0.001), clock=VirtualClock()) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery=delivery)
        exchange = await heard(provider, audience)

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.result.audio[44:] == audience.pcm
    assert audience.rates_hz == [24_000]
