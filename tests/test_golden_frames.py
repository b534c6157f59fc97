"""Every kind of frame, to the byte and in both directions: the stand-ins write it so, and the clients read it.

Ids, times, signatures and samples differ from call to call; they are put to those of the golden bytes before comparing.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from harness.clock import FakeClock, SystemClock
from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import running_modal, running_qwen
from harness.exchanges import Failure, Speech
from harness.providers.base import Deadline
from tests.builders import a_request
from tests.faulted import VIVIAN, open_provider
from tests.golden import DESIGN, MODAL, ONLY_EMITTED, QWEN, URL, VLLM, VOICES, Frame, settled
from tests.harness.providers.stubs import Till, a_server, a_wav, sends


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def emitted(session: aiohttp.ClientSession, base_url: str, frame: Frame) -> tuple[int, str, bytes]:
    async with session.post(base_url + frame.path, json=frame.body, headers=dict(frame.headers)) as reply:
        return reply.status, reply.headers["Content-Type"], settled(await reply.read())


@pytest.mark.parametrize("frame", QWEN.values(), ids=QWEN.keys())
async def test_the_qwen_stand_in_writes_the_golden_bytes(session: aiohttp.ClientSession, frame: Frame) -> None:
    async with running_qwen() as standin:
        told = await emitted(session, standin.base_url, frame)

    assert told == (frame.status, frame.content_type, frame.golden) or _is_json(frame, told)


@pytest.mark.parametrize(("frame", "dialect"), [
    *(pytest.param(frame, Dialect.ENDPOINTS, id=name) for name, frame in MODAL.items()),
    *(pytest.param(frame, Dialect.VLLM, id=name) for name, frame in VLLM.items()),
])  # fmt: skip
async def test_the_modal_stand_in_writes_the_golden_bytes(
    session: aiohttp.ClientSession, frame: Frame, dialect: Dialect
) -> None:
    async with running_modal(ModalOptions(dialect=dialect)) as standin:
        told = await emitted(session, standin.base_url, frame)

    assert told == (frame.status, frame.content_type, frame.golden) or _is_json(frame, told)


def _is_json(frame: Frame, told: tuple[int, str, bytes]) -> bool:
    """The same but for a charset that JSON does not need."""
    return told == (frame.status, f"{frame.content_type}; charset=utf-8", frame.golden)


@pytest.mark.parametrize(("name", "frame"), [
    *(pytest.param("qwen", frame, id=name) for name, frame in QWEN.items()),
    *(pytest.param("modal", frame, id=name) for name, frame in MODAL.items()),
    *(pytest.param("modal openai", frame, id=name) for name, frame in VLLM.items()),
])  # fmt: skip
async def test_the_clients_read_the_golden_bytes(name: str, frame: Frame, tmp_path: Path) -> None:
    provider_name, _, dialect = name.partition(" ")
    settings = {**frame.settings, **({"dialect": dialect} if dialect else {})}
    request = a_request(voice=VIVIAN, **frame.request) if provider_name == "modal" else a_request(**frame.request)
    async with a_server(sends(a_wav())) as audio:
        content = frame.golden.replace(URL.encode(), f"{audio.url}/x.wav?Expires=1".encode())
        async with a_server(answering(content, frame)) as server:
            provider = open_provider(
                provider_name, server.url, tmp_path, also=audio.url, clock=FakeClock(), max_attempts=1, **settings
            )
            async with provider:
                exchange = await provider.synthesize(request, admission=Till(), deadline=Deadline(SystemClock(), 5.0))

    assert exchange.outcome == frame.outcome, exchange.result
    assert isinstance(exchange.result, Speech | Failure)


def answering(content: bytes, frame: Frame) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content, status=frame.status, headers={"Content-Type": frame.content_type})

    return answer


@pytest.mark.parametrize(("asked", "golden"), ONLY_EMITTED.values(), ids=ONLY_EMITTED.keys())
async def test_the_voices_of_the_account_are_written_to_the_byte(
    session: aiohttp.ClientSession, asked: dict[str, str], golden: str
) -> None:
    made = Frame(golden=b"", outcome="", path=VOICES, body={"model": "qwen-voice-design", "input": DESIGN})
    async with running_qwen() as standin:
        await emitted(session, standin.base_url, made)
        voice = next(iter(standin.account.voices))
        content = {"model": "qwen-voice-design", "input": {**asked, **({"voice": voice} if "voice" in asked else {})}}
        told = await emitted(session, standin.base_url, Frame(golden=b"", outcome="", path=VOICES, body=content))

    assert told == (200, "application/json", golden.encode())


async def test_an_address_without_a_signature_is_refused_in_the_words_of_the_object_store(
    session: aiohttp.ClientSession,
) -> None:
    async with running_qwen() as standin, session.get(f"{standin.audio_url}/x.wav") as reply:
        told = reply.status, reply.headers["Content-Type"], settled(await reply.read())

    assert told == (
        403,
        "application/xml; charset=utf-8",
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>AccessDenied</Code>\n'
        b"  <Message>You have no right to access this object because of bucket acl.</Message>\n"
        b"  <RequestId>" + b"0" * 24 + b"</RequestId>\n  <HostId>dashscope-result-standin</HostId>\n</Error>\n",
    )


async def test_a_request_that_is_held_is_sent_on_with_the_platforms_own_query(session: aiohttp.ClientSession) -> None:
    body = {"text": "Good morning.", "language": "English", "speaker": "Vivian"}
    async with (
        running_modal(ModalOptions(hold_s=0.0)) as standin,
        session.post(f"{standin.base_url}/generate", json=body, allow_redirects=False) as reply,
    ):
        location = settled(reply.headers["Location"].encode())

    assert (reply.status, location) == (303, b"http://host/generate?__modal_function_call_id=fc-" + b"0" * 26)
