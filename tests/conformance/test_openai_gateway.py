"""OpenAI's own SDK and curl find in the gateway what they know."""

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.gateways import World, running_gateway


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_gateway(tmp_path) as world:
        yield world


@pytest.fixture
async def sdk(world: World) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=world.key, base_url=f"{world.base_url}/v1", max_retries=0) as sdk:
        yield sdk


async def spoken(sdk: openai.AsyncOpenAI, text: str = "Good morning to everybody.", **arguments: Any) -> Any:
    base: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "Vivian", "response_format": "wav"}
    return await sdk.audio.speech.create(input=text, **{**base, **arguments})


async def test_a_text_is_spoken(sdk: openai.AsyncOpenAI) -> None:
    reply = await spoken(sdk)

    with wave.open(io.BytesIO(reply.content)) as file:
        assert (file.getframerate(), file.getnchannels()) == (24_000, 1)
        assert file.getnframes() > 12_000
    assert reply.response.headers["x-provider"] == "qwen"


@pytest.mark.parametrize(
    ("audio_format", "magic"), [("mp3", b"\xff"), ("flac", b"fLaC"), ("opus", b"OggS"), ("pcm", b"")]
)
async def test_every_format_comes_as_itself(sdk: openai.AsyncOpenAI, audio_format: str, magic: bytes) -> None:
    reply = await spoken(sdk, response_format=audio_format)

    assert reply.content.startswith(magic)
    assert len(reply.content) > 2_000


async def test_audio_streams(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.audio.speech.with_streaming_response.create(
        input="Good morning to everybody.", model="m", voice="Vivian", response_format="pcm", stream_format="audio"
    ) as reply:
        pieces = [piece async for piece in reply.iter_bytes()]

    assert len(b"".join(pieces)) > 24_000


async def test_events_stream(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.audio.speech.with_streaming_response.create(
        input="Good morning.", model="m", voice="Vivian", response_format="pcm", stream_format="sse"
    ) as reply:
        lines = [line async for line in reply.iter_lines() if line.startswith("data: ")]

    types = [json.loads(line[6:])["type"] for line in lines]
    assert types == ["speech.audio.delta"] * (len(types) - 1) + ["speech.audio.done"]
    assert len(types) > 1


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        ({"voice": "voice-of-nobody"}, openai.NotFoundError, "voice_not_found"),
        ({"response_format": "aac"}, openai.BadRequestError, "invalid_parameter"),
        ({"speed": 2.0}, openai.BadRequestError, "invalid_parameter"),
        ({"text": " "}, openai.BadRequestError, "invalid_parameter"),
        ({"text": "x" * 5_001}, openai.BadRequestError, "text_too_long"),
        ({"extra_body": {"langauge": "en"}}, openai.BadRequestError, "unknown_parameter"),
    ],
)
async def test_what_is_wrong_arrives_as_its_own_error(
    sdk: openai.AsyncOpenAI, arguments: dict[str, Any], error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as caught:
        await spoken(sdk, **arguments)

    assert caught.value.code == code
    assert caught.value.response.headers["x-request-id"] == caught.value.body["request_id"]  # type: ignore[index]


async def test_an_unknown_key_is_an_authentication_error(world: World) -> None:
    async with openai.AsyncOpenAI(api_key="ck-wrong", base_url=f"{world.base_url}/v1", max_retries=0) as sdk:
        with pytest.raises(openai.AuthenticationError):
            await spoken(sdk)


async def test_curl_gets_the_same(world: World, tmp_path: Path) -> None:
    file = tmp_path / "hello.wav"
    body = json.dumps({"input": "Hello.", "voice": "Vivian"})
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "--fail", f"{world.base_url}/v1/audio/speech", "-o", str(file)),
        *("-H", f"Authorization: Bearer {world.key}", "-H", "Content-Type: application/json", "-d", body),
    )

    assert await process.wait() == 0
    assert file.read_bytes()[:4] == b"RIFF"
