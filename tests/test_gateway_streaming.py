"""Audio while it is made: legacy can step in until the first of it was sent, and never after."""

import base64
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateways import World, running_gateway

QUICK: dict[str, Any] = {"first_byte_s": 0.3}


def every(fault: str, **more: Any) -> dict[str, Any]:
    return {"faults": [{"fault": fault, "times": None, **more}]}


async def test_pcm_arrives_in_pieces(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        status, headers, streamed = await world.speak(response_format="pcm", stream_format="audio")

        assert (status, headers["X-Provider"], headers["Content-Type"]) == (200, "qwen", "audio/pcm")
        assert headers["Transfer-Encoding"] == "chunked"
        assert len(streamed) > 24_000


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
