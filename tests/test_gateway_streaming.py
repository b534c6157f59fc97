"""Audio while it is made: legacy can step in until the first of it was sent, and never after."""

import asyncio
import base64
import json
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from harness.emulators.options import QwenOptions
from harness.exchanges import Exchange
from harness.gateway.slowness import Slowness
from harness.speech import Operation
from harness.store.journal import read_journal
from tests.gateways import World, running_gateway

QUICK: dict[str, Any] = {"first_byte_s": 0.3}
PAUSE_S = 0.2


def every(fault: str, **more: Any) -> dict[str, Any]:
    return {"faults": [{"fault": fault, "times": None, **more}]}


async def test_pcm_arrives_in_pieces(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        status, headers, streamed = await world.speak(response_format="pcm", stream_format="audio")

        assert (status, headers["X-Provider"], headers["Content-Type"]) == (200, "qwen", "audio/pcm")
        assert headers["Transfer-Encoding"] == "chunked"
        assert len(streamed) > 24_000


async def test_a_reader_who_pauses_takes_none_of_the_providers_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More audio than all buffers on the way hold: the provider is done while the reader has hardly begun."""
    is_slow, done, service_s = Slowness.of, asyncio.Event(), []

    def noted(slowness: Slowness, exchange: Exchange, operation: Operation) -> bool | None:
        service_s.append(exchange.timing.service_s)
        done.set()
        return is_slow(slowness, exchange, operation)

    monkeypatch.setattr(Slowness, "of", noted)
    at_qwen = QwenOptions(requests_per_minute=1e9, max_chars=None, time_scale=0.001)
    async with running_gateway(tmp_path, qwen=at_qwen, qwen_settings={"max_chars": 5_000}, capture_bp=10_000) as world:
        reader, writer = await a_slow_reader(world, "A very long sentence indeed. " * 150)
        async with asyncio.timeout(60):
            await done.wait()
        await asyncio.sleep(PAUSE_S)
        received = await reader.read()
        writer.close()
        async with asyncio.timeout(60):
            while not world.gateway.shadow.counts.kept:
                await asyncio.sleep(0.01)

    assert received.endswith(b"0\r\n\r\n")
    row = next(row for row in live_rows(tmp_path) if row["lane"] == "candidate")
    assert (row["outcome"], [row["service_s"]]) == ("ok", service_s)
    assert row["metadata"]["listener_waited_s"] >= PAUSE_S
    observed = kept_capture(tmp_path)["observed"]
    assert observed["total_s"] >= row["service_s"]


async def a_slow_reader(world: World, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A caller whose machine takes a few kilobytes at a time; the request is sent and nothing of the reply read."""
    url = URL(world.base_url)
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    caller.setblocking(False)
    await asyncio.get_running_loop().sock_connect(caller, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=caller, limit=1_024)
    body = json.dumps({"input": text, "voice": "Vivian", "response_format": "pcm", "stream_format": "audio"}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {world.key}\r\nConnection: close\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return reader, writer


def live_rows(home: Path) -> list[dict[str, Any]]:
    """What the gateway wrote of its calls."""
    (journal,) = (home / "runs").glob("*/journal.jsonl")
    return [record["row"] for record in read_journal(journal).records if record["type"] == "result"]


def kept_capture(home: Path) -> dict[str, Any]:
    """The only request that was kept."""
    (file,) = (home / "captures").glob("*.jsonl")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


async def test_events_carry_the_audio_and_then_its_end(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        _, headers, body = await world.speak(response_format="pcm", stream_format="sse")

        events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]
        audio = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
        assert headers["Content-Type"] == "text/event-stream"
        assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
        assert events[-1] == {"type": "speech.audio.done"}
        assert len(audio) > 24_000


async def test_before_the_first_audio_legacy_steps_in(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **QUICK) as world:
        world.qwen.script.load(every("hang-before"))

        status, headers, audio = await world.speak(response_format="pcm", stream_format="audio")

        assert (status, headers["X-Provider"], headers["X-Fallback"]) == (200, "modal", "timeout_read")
        assert len(audio) > 24_000
        assert world.asked(world.modal) == 1


async def test_after_the_first_audio_the_answer_is_cut_off_and_never_spliced(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **QUICK) as world:
        world.qwen.script.load(every("stream-cut"))

        with pytest.raises(aiohttp.ClientPayloadError):
            await world.speak("A long enough sentence to be cut in two.", response_format="pcm", stream_format="audio")

        assert world.asked(world.modal) == 0
        async with world.http.get(f"{world.base_url}/metrics") as reply:
            failed = [line for line in (await reply.text()).splitlines() if line.startswith("cutover_requests_total")]
        assert ['outcome="ok"' in line for line in failed] == [False]


async def streamed(world: World, key: str, **fields: Any) -> tuple[int, str | None, bytes]:
    """Status, provider and body of a stream that was asked for under this key."""
    body = {"input": "Good morning.", "voice": "Vivian", "response_format": "pcm", "stream_format": "audio", **fields}
    headers = {**world.headers, "Idempotency-Key": key}
    async with world.http.post(f"{world.base_url}/v1/audio/speech", json=body, headers=headers) as reply:
        return reply.status, reply.headers.get("X-Provider"), await reply.read()


@pytest.mark.parametrize("form", ["audio", "sse"])
async def test_the_same_key_gives_the_same_stream_and_is_paid_once(tmp_path: Path, form: str) -> None:
    async with running_gateway(tmp_path) as world:
        first = await streamed(world, "k", stream_format=form)
        second = await streamed(world, "k", stream_format=form)
        other = await streamed(world, "k2", stream_format=form)

        assert first == second
        assert (first[0], first[1], other[0]) == (200, "qwen", 200)
        assert len(first[2]) > 24_000
        assert world.asked(world.qwen) == 2


async def test_the_key_of_a_stream_that_broke_off_is_used_up(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **QUICK) as world:
        world.qwen.script.load({"faults": [{"fault": "stream-cut", "times": 1}]})
        with pytest.raises(aiohttp.ClientPayloadError):
            await streamed(world, "k", input="A long enough sentence to be cut in two.")
        status, _, body = await streamed(world, "k", input="A long enough sentence to be cut in two.")
        anew = await streamed(world, "k2", input="A long enough sentence to be cut in two.")

        assert (status, json.loads(body)["error"]["code"]) == (409, "stream_broken_off")
        assert (anew[0], world.asked(world.qwen)) == (200, 2)


async def test_a_stream_that_never_began_may_be_asked_for_again(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        world.modal.script.load({"faults": [{"fault": "app-error", "times": 1}]})

        assert [(await streamed(world, "k"))[0] for _ in range(2)] == [503, 200]


async def test_a_key_is_not_for_a_stream_and_events_of_it(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        replies = [await streamed(world, "k", stream_format=form) for form in ("audio", "sse")]

        assert [status for status, _, _ in replies] == [200, 422]
