import asyncio
import re
import time
from typing import Any

import aiohttp
import pytest

from harness.emulators.options import QwenOptions
from harness.emulators.server import running_qwen
from harness.emulators.timbres import median_pitch_hz
from harness.speech import LANGUAGES, PROBE_TEXTS
from tests.harness.emulators.callers import GOLDEN_TEXT, KEY, SPEAK, Caller, level_db, samples_of

GOLDEN_REPLY = (
    r'\{"output":\{"audio":\{"data":"","expires_at":(\d{10}),"id":"audio_([0-9a-f-]{36})",'
    r'"url":"(http://127\.0\.0\.1:\d+)/1d/[0-9a-f]{2}/\d{8}/[0-9a-f]{16}/[0-9a-f-]{36}\.wav'
    r'\?Expires=\1&OSSAccessKeyId=STANDIN&Signature=[\w%]+"\},"finish_reason":"stop"\},'
    r'"usage":\{"characters":195\},"request_id":"\2"\}'
)


async def test_the_golden_sentence_gets_the_golden_reply(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        answer = await Caller(session, standin.base_url).speak(GOLDEN_TEXT, language_type="Chinese")

    match = re.fullmatch(GOLDEN_REPLY, answer.body.decode())
    assert len(GOLDEN_TEXT) == 103
    assert match is not None
    assert abs(int(match[1]) - 86_400 - time.time()) < 60
    assert match[3] == standin.audio_url != standin.base_url
    assert answer.headers["x-request-id"] == match[2]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_language_comes_back_as_speech(qwen: Caller, language: str) -> None:
    answer = await qwen.speak(PROBE_TEXTS[language], language_type=LANGUAGES[language])

    samples = samples_of(await qwen.audio_of(answer))
    assert 2.0 < len(samples) / 24_000 < 6.5
    assert level_db(samples) > -25


async def test_the_same_seed_and_turn_give_the_same_bytes(session: aiohttp.ClientSession) -> None:
    async def turns(seed: int) -> list[bytes]:
        async with running_qwen(QwenOptions(seed=seed)) as standin:
            caller = Caller(session, standin.base_url)
            await caller.speak(f"Something else first, {seed}.")
            return [await caller.audio_of(await caller.speak()) for _ in range(2)]

    first, again, other = await turns(1), await turns(1), await turns(2)

    assert first == again
    assert first[0] != first[1]
    assert other[0] != first[0]


async def test_a_preset_keeps_its_voice_from_call_to_call(qwen: Caller) -> None:
    async def pitch_hz(voice: str) -> float:
        wav = await qwen.audio_of(await qwen.speak(PROBE_TEXTS["en"], voice=voice))
        return median_pitch_hz(samples_of(wav), rate_hz=24_000)

    cherry, again, ethan = await pitch_hz("Cherry"), await pitch_hz("Cherry"), await pitch_hz("Ethan")

    assert again == pytest.approx(cherry, rel=0.04)
    assert ethan < 0.7 * cherry


@pytest.mark.parametrize(
    ("content", "status", "code", "message"),
    [
        pytest.param({"text": ""}, 400, "InvalidParameter", r"parameter\(text\)", id="no text"),
        pytest.param({"text": " \n"}, 400, "InvalidParameter", r"parameter\(text\)", id="blank text"),
        pytest.param({"text": 7}, 400, "InvalidParameter", r"parameter\(text\)", id="a number for a text"),
        pytest.param({"text": "x" * 601}, 400, "InvalidParameter", r"\[1, 600\]", id="a long text"),
        pytest.param({"voice": None}, 400, "InvalidParameter", r"parameter\(voice\)", id="no voice"),
        pytest.param({"voice": "Nobody"}, 400, "InvalidParameter", "Invalid voice specified", id="unknown voice"),
        pytest.param({"language_type": "en"}, 400, "InvalidParameter", "language_type", id="an ISO code"),
        pytest.param({"instructions": 5}, 400, "InvalidParameter", "instructions", id="no instructions"),
        pytest.param({"model": "qwen-tts"}, 404, "ModelNotFound", "Model can not be found", id="a model that ended"),
        pytest.param({"model": "qwen-audio-3.0-tts-flash"}, 400, "InvalidParameter", "url error", id="another path"),
        pytest.param({"model": ""}, 400, "BadRequest.EmptyModel", "missing from request", id="no model"),
    ],
)
async def test_each_wrong_request_is_refused_in_the_services_words(
    qwen: Caller, content: dict[str, Any], status: int, code: str, message: str
) -> None:
    answer = await qwen.speak(**content)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert re.search(message, answer.json["message"])


@pytest.mark.parametrize("content", [None, {}, [], "text"])
async def test_a_request_without_input_is_refused(qwen: Caller, content: object) -> None:
    answer = await qwen.post(SPEAK, {"model": "qwen3-tts-flash", "input": content})

    assert answer.json["code"] == "BadRequest.EmptyInput"


async def test_speech_is_no_task_to_come_back_for(qwen: Caller) -> None:
    body = {"model": "qwen3-tts-flash", "input": {"text": "Hello.", "voice": "Cherry"}}

    answer = await qwen.post(SPEAK, body, headers={**KEY, "X-DashScope-Async": "enable"})

    assert (answer.status, answer.json["code"]) == (403, "AccessDenied")


async def test_instructions_are_taken_in_both_places_and_shape_the_call(qwen: Caller) -> None:
    content = {"text": "Hello there.", "voice": "Cherry"}
    model = {"model": "qwen3-tts-instruct-flash"}
    bodies = [
        {**model, "input": content},
        {**model, "input": {**content, "instructions": "Whisper."}},
        {**model, "input": content, "parameters": {"instructions": "Shout."}},
    ]

    wavs = [await qwen.audio_of(await qwen.post(SPEAK, body)) for body in bodies]

    assert len(set(wavs)) == 3


async def test_the_length_limit_can_be_lifted(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(max_chars=None)) as standin:
        assert (await Caller(session, standin.base_url).speak("Yes. " * 150)).status == 200


async def test_a_retired_model_is_gone(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(retired=frozenset({"qwen3-tts-flash"}))) as standin:
        caller = Caller(session, standin.base_url)
        answers = [await caller.speak(), await caller.speak(model="qwen3-tts-flash-2025-11-27")]

    assert [answer.status for answer in answers] == [404, 200]


async def test_the_quota_is_each_models_own(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(requests_per_minute=2, time_scale=1e-3)) as standin:
        caller = Caller(session, standin.base_url)
        bodies = [caller.speak() for _ in range(4)]
        answers = [await body for body in bodies]
        other = await caller.speak(model="qwen3-tts-flash-2025-11-27")

    # Two a minute are one in 30 ms at this scale, so the calls after the first two depend on the machine's pace.
    assert [answer.status for answer in answers[:2]] == [200, 200]
    assert other.status == 200


async def test_beyond_the_quota_it_is_429(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(requests_per_minute=1, time_scale=0.01)) as standin:
        caller = Caller(session, standin.base_url)
        await caller.speak()
        answer = await caller.speak()

    assert (answer.status, answer.json["code"]) == (429, "Throttling.RateQuota")
    assert "Retry-After" not in answer.headers
    assert standin.account.meter()["total"] == {"characters": len("Good morning.")}


async def test_only_what_succeeds_is_billed(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        caller = Caller(session, standin.base_url)
        await caller.speak(GOLDEN_TEXT)
        await caller.speak(voice="Nobody")

    assert standin.account.meter()["billed"] == {"qwen3-tts-flash": {"characters": 195}}


async def test_a_costly_service_reports_and_bills_three_times(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(scenario="costly")) as standin:
        answer = await Caller(session, standin.base_url).speak(GOLDEN_TEXT)

    assert answer.json["usage"] == {"characters": 585}
    assert standin.account.meter()["total"] == {"characters": 585}


async def test_calls_do_not_wait_for_each_other(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(time_scale=0.2)) as standin:
        caller = Caller(session, standin.base_url)
        started_s = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(caller.speak(f"Call {number}."))
        took_s = asyncio.get_running_loop().time() - started_s

    assert 0.1 < took_s < 1.5  # each takes about 1.1 s of the service's time, 0.22 s here; one by one 2.2 s
