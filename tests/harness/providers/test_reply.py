from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from yarl import URL

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.providers.base import Deadline
from harness.providers.door import Door
from harness.providers.reply import Fault, Reply, Watch
from harness.providers.transport import Phase
from tests.harness.providers.stubs import CANARY, a_server, sends

OpenDoor = Callable[..., Awaitable[Door]]


def a_reply(*, first_byte_s: float | None = 0.5) -> Reply:
    return Reply(
        status=200,
        headers={"x-trace": CANARY},
        body=b"private",
        started_s=10.0,
        connect_s=0.1,
        first_byte_s=first_byte_s,
        total_s=2.0,
    )


@pytest.mark.parametrize(("first_byte_s", "began_s"), [(0.5, 10.5), (None, 12.0)], ids=["with a body", "without one"])
def test_moments_of_a_reply_are_on_the_clocks_own_scale(first_byte_s: float | None, began_s: float) -> None:
    reply = a_reply(first_byte_s=first_byte_s)

    assert (reply.body_began_s, reply.ended_s) == (began_s, 12.0)


def test_a_reply_shows_neither_its_headers_nor_its_body() -> None:
    assert CANARY not in repr(a_reply())
    assert "private" not in repr(a_reply())


def test_a_fault_is_the_failure_of_an_exchange() -> None:
    failure = Fault(kind=ErrorKind.CONN_RESET, detail="the connection broke", sent=True).failure

    assert (failure.kind, failure.code, failure.detail) == (ErrorKind.CONN_RESET, None, "the connection broke")


async def test_a_watch_begins_before_any_connection_and_counts_on(clock: FakeClock) -> None:
    watch = Watch(clock)

    await clock.sleep(1.5)

    assert (watch.elapsed_s(), watch.phase, watch.connect_s) == (1.5, Phase.CONNECTING, None)


async def test_a_new_connection_is_told_from_one_that_is_used_again(open_door: OpenDoor, clock: FakeClock) -> None:
    async with a_server(sends(b"x")) as server:
        door = await open_door(server.url)
        url = URL(server.url) / "x"
        replies = [await door.send("GET", url, deadline=Deadline(clock, 5.0)) for _ in range(2)]

    assert [reply.connect_s is None for reply in replies if isinstance(reply, Reply)] == [False, True]


async def test_a_request_that_would_go_elsewhere_than_it_was_sent_is_refused(clock: FakeClock) -> None:
    watch = Watch(clock)
    watch.asked(URL("https://here.example/x"))
    watch.asked(URL("https://here.example/x"))  # once more, over another connection

    with pytest.raises(aiohttp.ClientPayloadError, match="a redirect is not followed"):
        watch.asked(URL("https://elsewhere.example/x"))


async def test_only_a_connection_that_had_to_be_made_took_time_to_make(clock: FakeClock) -> None:
    made, used_again = Watch(clock), Watch(clock)

    made.dialled()
    await clock.sleep(0.25)
    made.connected()
    used_again.connected()

    assert (made.connect_s, made.phase) == (0.25, Phase.WAITING)
    assert (used_again.connect_s, used_again.phase) == (None, Phase.WAITING)
