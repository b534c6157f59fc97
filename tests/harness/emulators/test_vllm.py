import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import Standin, running_modal
from tests.canaries import MODAL_KEY, MODAL_SECRET, VLLM_KEY
from tests.harness.emulators.callers import Caller, SleepsNoted

SPEECH = "/v1/audio/speech"
LONG = "This is a longer text, so that its audio comes in more than one piece. " * 2


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    async with running_modal(ModalOptions(dialect=Dialect.VLLM)) as standin:
        yield standin


@pytest.fixture
async def caller(standin: Standin, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, standin.base_url)


async def test_the_frames_are_written_to_the_byte(caller: Caller) -> None:
    body = {"input": LONG, "stream": True, "response_format": "pcm"}

    answer = await caller.post(SPEECH, body)

    delta = (
        rb'event: speech\.audio\.delta\ndata: \{"type":"speech\.audio\.delta",'
        rb'"audio":"[\w+/=]+","response_format":"pcm"\}\n\n'
    )
    done = (
        rb'event: speech\.audio\.done\ndata: \{"type":"speech\.audio\.done","usage":'
        rb'\{"input_tokens":\d+,"output_tokens":\d+,"total_tokens":\d+\}\}\n\n'
    )
    assert re.fullmatch(rb"(?:" + delta + rb"){3,}" + done, answer.body)
    assert answer.headers["Content-Type"] == "text/event-stream"


async def test_an_error_within_a_stream_has_its_own_event(standin: Standin, caller: Caller) -> None:
    standin.script.load({"faults": [{"fault": "stream-error-event"}]})

    answer = await caller.post(SPEECH, {"input": LONG, "stream": True, "response_format": "pcm"})

    name, data = answer.body.split(b"\n\n")[-2].split(b"\n")
    assert name == b"event: speech.audio.error"
    assert json.loads(data.removeprefix(b"data: "))["error"]["code"] == 500


async def test_the_task_is_inferred_from_what_is_given(caller: Caller, wav: bytes) -> None:
    preset = await caller.post(SPEECH, {"input": "Hello.", "speaker": "Ryan"})
    clone = await caller.post(SPEECH, {"input": "Hello.", "ref_text": "Hello."})
    unknown = await caller.post(SPEECH, {"input": "Hello.", "task_type": "Singing"})

    assert preset.status == 200
    assert "ref_audio" in clone.json["error"]["message"]
    assert "task_type" in unknown.json["error"]["message"]


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"input": 5}', b"{}"])
async def test_a_body_that_is_none_is_a_bad_request(caller: Caller, data: bytes) -> None:
    answer = await caller.post(SPEECH, data=data)

    assert (answer.status, answer.json["error"]["type"]) == (400, "BadRequestError")


async def test_proxy_authorization_stands_before_the_servers_own_key(session: aiohttp.ClientSession) -> None:
    options = ModalOptions(dialect=Dialect.VLLM, key=MODAL_KEY, secret=MODAL_SECRET, api_key=VLLM_KEY)
    proxy = {"Modal-Key": MODAL_KEY, "Modal-Secret": MODAL_SECRET}
    async with running_modal(options) as standin:
        caller = Caller(session, standin.base_url)
        neither = await caller.post(SPEECH, {"input": "Hello."}, headers={})
        first = await caller.post(SPEECH, {"input": "Hello."}, headers=proxy)
        both = await caller.post(SPEECH, {"input": "Hello."}, headers={**proxy, "Authorization": f"Bearer {VLLM_KEY}"})

    assert neither.body.startswith(b"modal-http: missing credentials")
    assert (first.status, first.json, both.status) == (401, {"error": "Unauthorized"}, 200)


async def test_the_endpoints_of_the_first_dialect_are_not_there(caller: Caller) -> None:
    assert (await caller.post("/clone", {"text": "Hello."})).status == 404
    assert (await caller.get("/health")).status == 200
    assert (await caller.get("/v1/models")).json["data"][0]["id"] == "Qwen/Qwen3-TTS-12Hz-1.7B-Base"


async def test_it_is_far_faster_than_the_first_dialect_and_begins_early(session: aiohttp.ClientSession) -> None:
    clock = SleepsNoted()
    async with running_modal(ModalOptions(dialect=Dialect.VLLM, time_scale=1.0), clock=clock) as standin:
        caller = Caller(session, standin.base_url)
        await caller.get("/health")  # the cold start
        clock.slept_s.clear()
        answer = await caller.post(SPEECH, {"input": LONG, "stream": True, "response_format": "pcm"})

    first_s, *steps_s = [slept for slept in clock.slept_s if slept > 0]
    assert first_s == pytest.approx(0.15)
    assert first_s + sum(steps_s) == pytest.approx(float(answer.headers["X-Inference-Seconds"]))
    assert 0.8 < first_s + sum(steps_s) < 2.5
    assert steps_s == pytest.approx([steps_s[0]] * len(steps_s))
