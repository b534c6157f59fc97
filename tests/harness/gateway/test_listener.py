import asyncio

import pytest

from harness.clock import FakeClock, SystemClock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.gateway.listener import Listener
from harness.providers.base import AudioSink, Deadline
from tests.harness.providers.stubs import Audience


class Reader:
    """A sink that takes a piece when the test lets it."""

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        self.heard = b""

    async def begin(self, *, rate_hz: int) -> None:
        pass

    async def write(self, pcm: bytes) -> None:
        await self.may_read.wait()
        self.heard += pcm


async def heard_out(sink: AudioSink, *pieces: bytes, seconds: float = 10.0) -> Failure | None:
    """What becomes of these pieces."""
    async with Listener(sink, clock=SystemClock()) as listener:
        await listener.begin(rate_hz=24_000)
        for piece in pieces:
            await listener.write(piece)
        return await listener.hear_out(Deadline(SystemClock(), seconds))


async def test_all_that_came_arrives_in_order_after_one_word_about_its_rate() -> None:
    audience = Audience()

    assert await heard_out(audience, b"ab", b"cd", b"ef") is None

    assert (audience.rates_hz, audience.pieces) == ([24_000], [b"ab", b"cd", b"ef"])


async def test_who_speaks_never_waits_for_who_reads() -> None:
    reader, clock = Reader(), FakeClock()

    async with Listener(reader, clock=clock) as listener:
        await listener.begin(rate_hz=24_000)
        for _ in range(100):
            await listener.write(b"ab")  # would never return, were the reader waited for
        assert (listener.began, reader.heard) == (True, b"")

        clock.advance(3.0)
        reader.may_read.set()
        assert await listener.hear_out(Deadline(clock, 10.0)) is None

    assert reader.heard == b"ab" * 100
    assert listener.waited_s == 0.0  # the three seconds were the provider's


async def test_what_the_caller_takes_once_the_provider_is_done_is_counted() -> None:
    reader, clock = Reader(), FakeClock()
    async with Listener(reader, clock=clock) as listener:
        await listener.begin(rate_hz=24_000)
        await listener.write(b"ab")
        hearing = asyncio.ensure_future(listener.hear_out(Deadline(clock, 10.0)))
        await asyncio.sleep(0)
        clock.advance(3.0)
        reader.may_read.set()

        assert await hearing is None

    assert listener.waited_s == 3.0


async def test_nobody_to_listen_is_nobody_to_wait_for() -> None:
    async with Listener(None, clock=SystemClock()) as listener:
        assert (listener.is_wanted, listener.began) == (False, False)
        assert await listener.hear_out(Deadline(SystemClock(), 0.0)) is None


async def test_the_first_audio_lifts_the_limit() -> None:
    async with asyncio.timeout(0.02) as limit, Listener(Audience(), clock=SystemClock()) as listener:
        listener.limit = limit
        await listener.begin(rate_hz=24_000)
        await asyncio.sleep(0.04)

    assert not limit.expired()


async def test_who_has_not_read_it_all_by_the_deadline_goes_without_the_rest() -> None:
    undelivered = await heard_out(Reader(), b"ab", seconds=0.02)

    assert undelivered is not None
    assert (undelivered.kind, undelivered.code) == (ErrorKind.CANCELLED, "local.listener")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(ConnectionResetError("gone"), ErrorKind.CANCELLED, id="the caller left"),
        pytest.param(TimeoutError(), ErrorKind.CANCELLED, id="the caller's connection timed out"),
        pytest.param(TypeError("our own bug"), ErrorKind.INTERNAL, id="our own fault"),
    ],
)
async def test_what_could_not_be_delivered_says_whose_doing_it_was(error: Exception, kind: ErrorKind) -> None:
    undelivered = await heard_out(Audience(leaves_at=0, error=error), b"ab")

    assert undelivered is not None
    assert undelivered.kind is kind


async def test_nobody_speaks_on_to_one_who_left() -> None:
    async with Listener(Audience(leaves_at=0), clock=SystemClock()) as listener:
        await listener.begin(rate_hz=24_000)
        await listener.write(b"ab")
        await asyncio.sleep(0)

        with pytest.raises(ConnectionResetError):
            await listener.write(b"cd")


async def test_an_error_comes_through_as_it_is_and_ends_the_reading() -> None:
    reader = Reader()

    async def interrupted() -> None:
        async with Listener(reader, clock=SystemClock()) as listener:
            await listener.begin(rate_hz=24_000)
            await listener.write(b"ab")
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()

    reader.may_read.set()
    await asyncio.sleep(0)
    assert reader.heard == b""
