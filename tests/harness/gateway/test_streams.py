import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harness.clock import SystemClock
from harness.emulators.audio import encode_wav
from harness.exchanges import Speech
from harness.gateway.formats import AudioFormat
from harness.gateway.streams import StreamedReply

Play = Callable[[StreamedReply], Any]


@asynccontextmanager
async def served(play: Play, *, as_events: bool = False) -> AsyncIterator[aiohttp.ClientResponse]:
    async def handle(request: web.Request) -> web.StreamResponse:
        reply = StreamedReply(
            request,
            audio_format=AudioFormat.PCM,
            as_events=as_events,
            headers=lambda: {"X-Provider": "qwen"},
            first_byte=lambda: None,
            clock=SystemClock(),
        )
        answer: web.StreamResponse = await play(reply)
        return answer

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as http, http.get(server.make_url("/")) as reply:
        yield reply


def speech(samples: int = 100) -> Speech:
    import numpy as np

    return Speech(audio=encode_wav(np.zeros(samples, np.float32)), extension="wav", sample_rate_hz=24_000)


async def test_speech_that_did_not_stream_is_sent_as_a_whole() -> None:
    async with served(lambda reply: reply.finish(speech())) as reply:
        assert (reply.headers["X-Provider"], await reply.read()) == ("qwen", b"\0" * 200)


async def test_what_was_streamed_is_not_sent_again() -> None:
    async def play(reply: StreamedReply) -> web.StreamResponse:
        await reply.begin(rate_hz=24_000)
        await reply.write(b"\1\0")
        return await reply.finish(speech())

    async with served(play) as reply:
        assert await reply.read() == b"\1\0"


async def test_events_end_with_done() -> None:
    async with served(lambda reply: reply.finish(speech()), as_events=True) as reply:
        lines = [line for line in (await reply.text()).splitlines() if line.startswith("data: ")]

    first, last = (json.loads(line[6:]) for line in lines)
    assert (base64.b64decode(first["audio"]), last) == (b"\0" * 200, {"type": "speech.audio.done"})


async def test_an_answer_that_is_broken_off_cannot_be_taken_for_a_whole_one() -> None:
    async def play(reply: StreamedReply) -> web.StreamResponse:
        await reply.begin(rate_hz=24_000)
        await reply.write(b"\1\0")
        return reply.break_off()

    async with served(play) as reply:
        with pytest.raises(aiohttp.ClientError):
            await reply.read()
