import asyncio
from typing import Any

import aiohttp
import pytest

from harness.emulators.server import Standin, running_qwen
from tests.canaries import QWEN_KEY
from tests.harness.emulators.callers import Caller
from tests.virtual_time import VirtualClock

BILLED = {"characters": 13}


async def ending(session: aiohttp.ClientSession, standin: Standin, *, patience_s: float = 5.0, **entry: Any) -> str:
    """How a synthesis ends under a fault."""
    standin.script.load({"faults": [entry]})
    try:
        async with asyncio.timeout(patience_s):
            answer = await Caller(session, standin.base_url).speak()
    except TimeoutError:
        return "hangs"
    except aiohttp.ClientPayloadError:
        return "breaks off"
    except aiohttp.ClientConnectionError:
        return "reset"
    return f"{answer.status}, {len(answer.body)} bytes"


@pytest.mark.parametrize(
    ("fault", "end", "billed"),
    [
        ("reset-before", "reset", {}),
        ("hang-before", "hangs", {}),
        ("reset-after", "reset", BILLED),
        ("hang-after", "hangs", BILLED),
        ("cut", "breaks off", BILLED),
        ("length-too-long", "breaks off", BILLED),
        ("endless", "hangs", BILLED),
    ],
)
async def test_a_connection_fails_as_it_must_and_the_work_was_billed_or_not(
    session: aiohttp.ClientSession, fault: str, end: str, billed: dict[str, int]
) -> None:
    async with running_qwen(clock=VirtualClock()) as standin:
        found = await ending(session, standin, fault=fault, patience_s=0.3 if end == "hangs" else 5.0)
        after = await Caller(session, standin.base_url).speak()

    assert found == end
    assert after.status == 200
    assert standin.account.meter()["total"] == {"characters": 13 + billed.get("characters", 0)}


async def test_a_short_promise_is_followed_by_more(session: aiohttp.ClientSession) -> None:
    async with running_qwen(clock=VirtualClock()) as standin:
        standin.script.load({"faults": [{"fault": "length-too-short", "on": "audio"}]})
        url = (await Caller(session, standin.base_url).speak()).json["output"]["audio"]["url"]
        host, _, path = url.removeprefix("http://").partition("/")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    assert b"Content-Length: %d\r\n" % (len(body) // 2) in head
    assert body.startswith(b"RIFF")


@pytest.mark.parametrize("fault", ["slow-head", "slow-body"])
async def test_a_crawl_is_as_slow_as_told_and_complete(session: aiohttp.ClientSession, fault: str) -> None:
    async with running_qwen(clock=VirtualClock()) as standin:
        fast = await Caller(session, standin.base_url).speak()
        started_s = VirtualClock().monotonic()
        standin.script.load({"faults": [{"fault": fault, "bytes_per_s": 1_000}]})
        slow = await Caller(session, standin.base_url).speak()
        took_s = VirtualClock().monotonic() - started_s

    assert slow.json.keys() == fast.json.keys()
    assert took_s > 0.12  # a head has about 180 bytes, a body about 400


async def test_a_byte_a_second_outlasts_any_patience(session: aiohttp.ClientSession) -> None:
    async with running_qwen(clock=VirtualClock()) as standin:
        assert await ending(session, standin, fault="slow-body", patience_s=0.3) == "hangs"


async def test_a_stream_can_be_cut(session: aiohttp.ClientSession) -> None:
    async with running_qwen(clock=VirtualClock()) as standin:
        standin.script.load({"faults": [{"fault": "stream-cut"}]})
        caller = Caller(session, standin.base_url)
        body = {"model": "qwen3-tts-flash", "input": {"text": "Good morning to everybody here.", "voice": "Cherry"}}
        headers = {"Authorization": f"Bearer {QWEN_KEY}", "X-DashScope-SSE": "enable"}
        with pytest.raises(aiohttp.ClientPayloadError):
            await caller.post("/api/v1/services/aigc/multimodal-generation/generation", body, headers=headers)
