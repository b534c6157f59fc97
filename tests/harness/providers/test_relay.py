import pytest

from harness.clock import FakeClock, SystemClock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.base import Deadline
from harness.providers.pcm_stream import PcmStream
from harness.providers.relay import Relay, SinkFailed
from tests.harness.providers.stubs import Audience

LATE = Failure(kind=ErrorKind.TIMEOUT_TOTAL, code=None, detail="the deadline passed")
RESET = Failure(kind=ErrorKind.CONN_RESET, code=None, detail="the connection broke")


def a_relay(audience: Audience | None, *, seconds: float = 10.0) -> Relay:
    return Relay(audience, Deadline(SystemClock(), seconds), FakeClock())


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
