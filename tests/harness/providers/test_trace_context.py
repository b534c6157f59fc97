from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from harness.providers.door import Door, Limits, Reply
from harness.providers.trace_context import TRACEPARENT, outgoing_headers
from tests.virtual_time import VirtualClock

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_calls_within_a_trace_carry_it_and_others_nothing() -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent"))
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server:
        url = URL(f"http://127.0.0.1:{server.port}/")
        addresses = Addresses(origin=url.origin(), hosts=None, allow_hosts=[f"127.0.0.1:{server.port}"])
        limits = Limits(connect_timeout_s=1, read_timeout_s=1, max_reply_bytes=1_000)
        clock = VirtualClock()
        async with Door(origin=url.origin(), addresses=addresses, secrets={}, limits=limits, clock=clock) as door:
            assert isinstance(await door.send("GET", url, deadline=Deadline(clock, 5)), Reply)
            token = TRACEPARENT.set(TRACE)
            assert isinstance(await door.send("GET", url, deadline=Deadline(clock, 5)), Reply)
            TRACEPARENT.reset(token)

    assert seen == [None, TRACE]
    assert outgoing_headers() == {}
