import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harness.clock import SystemClock
from harness.errors import ConfigError
from harness.rollout.drill_target import HttpTarget


def a_target(host: str, key: str) -> HttpTarget:
    return HttpTarget(f"http://{host}", key, voice="Ryan", allow_hosts=[host], clock=SystemClock())


async def test_it_speaks_as_any_caller_and_reads_who_answered() -> None:
    asked = []

    async def speak(request: web.Request) -> web.Response:
        asked.append((request.headers["Authorization"], (await request.json())["voice"]))
        return web.Response(body=b"RIFF", headers={"X-Provider": "qwen"})

    async def ready(_: web.Request) -> web.Response:
        return web.Response(status=200 if asked else 503)

    app = web.Application()
    app.router.add_post("/v1/audio/speech", speak)
    app.router.add_get("/readyz", ready)
    async with TestServer(app) as server:
        host = f"127.0.0.1:{server.port}"
        async with HttpTarget(
            f"http://{host}", "ck-1", voice="Ryan", allow_hosts=[host], clock=SystemClock()
        ) as target:
            before = await target.is_ready()
            spoken = await target.speak()
            after = await target.is_ready()

    assert (spoken.status, spoken.provider) == (200, "qwen")
    assert asked == [("Bearer ck-1", "Ryan")]
    assert (before, after) == (False, True)


async def test_a_gateway_that_is_not_there_is_no_answer() -> None:
    async with HttpTarget(
        "http://127.0.0.1:9", "k", voice="Ryan", allow_hosts=["127.0.0.1:9"], clock=SystemClock()
    ) as target:
        spoken = await target.speak()

        assert (spoken.status, spoken.provider) == (0, None)
        assert not await target.is_ready()


def test_a_key_is_sent_over_no_open_line() -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        HttpTarget("http://gateway.example", "k", voice="Ryan", allow_hosts=[], clock=SystemClock())
