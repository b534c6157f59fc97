import asyncio

import aiohttp
import pytest
from aiohttp import web

from harness.emulators.account import Account
from harness.emulators.sites import application, break_connection, leave_hanging, meter_routes, site
from harness.errors import UsageError
from tests.harness.emulators.callers import Caller


def an_application(account: Account) -> web.Application:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=request.match_info["name"])

    async def broken(request: web.Request) -> web.Response:
        await break_connection(request)

    async def silent(request: web.Request) -> web.Response:
        await leave_hanging()

    routes = [web.get("/hello/{name}", hello), web.post("/broken", broken), web.get("/silent", silent)]
    return application(account, [*routes, *meter_routes(account, lambda: None)], layers=[], max_body_bytes=1_024)


async def test_requests_are_counted_by_route_and_status(session: aiohttp.ClientSession) -> None:
    account = Account(None)
    async with site(an_application(account), port=0, option="--port") as base_url:
        caller = Caller(session, base_url)
        for path in ("/hello/a", "/hello/b", "/nowhere"):
            await caller.get(path)
        meter = (await caller.get("/_standin/meter")).json

    assert meter["requests"] == {"GET /hello/{name}": {"200": 2}, "GET /nowhere": {"404": 1}}


async def test_a_reset_is_posted(session: aiohttp.ClientSession) -> None:
    account = Account(None)
    account.bill("A10G", "gpu_s", 1.0, request_id="1")
    async with site(an_application(account), port=0, option="--port") as base_url:
        answer = await Caller(session, base_url).post("/_standin/reset")

    assert answer.json["total"] == {}


async def test_a_broken_connection_is_a_reset(session: aiohttp.ClientSession) -> None:
    account = Account(None)
    async with site(an_application(account), port=0, option="--port") as base_url:
        with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
            await Caller(session, base_url).post("/broken")

    assert account.meter()["requests"] == {"POST /broken": {"unanswered": 1}}


async def test_who_is_left_hanging_can_go_away(session: aiohttp.ClientSession) -> None:
    account = Account(None)
    async with site(an_application(account), port=0, option="--port") as base_url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await Caller(session, base_url).get("/silent")

    assert account.meter()["requests"] == {"GET /silent": {"unanswered": 1}}


async def test_a_port_in_use_is_one_sentence_with_its_remedy() -> None:
    app = an_application(Account(None))
    async with site(app, port=0, option="--port") as base_url:
        port = int(base_url.rpartition(":")[2])
        with pytest.raises(
            UsageError, match=rf"^port {port} on 127\.0\.0\.1 is in use; choose another with --audio-port$"
        ):
            async with site(an_application(Account(None)), port=port, option="--audio-port"):
                pass


async def test_only_this_machine_can_reach_it() -> None:
    async with site(an_application(Account(None)), port=0, option="--port") as base_url:
        assert base_url.startswith("http://127.0.0.1:")
