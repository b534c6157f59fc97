"""OpenAI's own SDK finds in the second dialect of our Modal stand-in a speech server like vLLM-Omni's."""

import base64
import io
import json
import wave
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from harness.emulators.audio import decode_recording
from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import Standin, running_modal
from harness.emulators.timbres import median_pitch_hz
from tests.canaries import VLLM_KEY
from tests.harness.emulators.callers import LONG_ENOUGH, a_recording

MODEL = "Qwen/Qwen3-TTS-12Hz-1.7B-Base"
TEXT = "Good morning to everybody in this room."


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    async with running_modal(ModalOptions(dialect=Dialect.VLLM, api_key=VLLM_KEY)) as standin:
        yield standin


@pytest.fixture
async def sdk(standin: Standin) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=VLLM_KEY, base_url=standin.base_url + "/v1", max_retries=0) as sdk:
        yield sdk


def a_reference(timbre: str = "alto") -> dict[str, str]:
    data = base64.b64encode(a_recording(timbre)).decode()
    return {"ref_audio": f"data:audio/wav;base64,{data}", "ref_text": LONG_ENOUGH}


async def spoken(sdk: openai.AsyncOpenAI, *, text: str = TEXT, **arguments: Any) -> Any:
    base: dict[str, Any] = {"model": MODEL, "voice": "Vivian", "response_format": "wav"}
    return await sdk.audio.speech.create(input=text, **{**base, **arguments})


def pitch_hz(wav: bytes) -> float:
    return median_pitch_hz(decode_recording(wav).samples, rate_hz=24_000)


async def test_a_preset_speaks(sdk: openai.AsyncOpenAI) -> None:
    reply = await spoken(sdk)

    with wave.open(io.BytesIO(reply.content)) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 24_000)
        frames = file.getnframes()
    tokens = {name: int(reply.response.headers[f"x-vllm-omni-{name}-tokens"]) for name in ("input", "output", "total")}
    assert reply.response.headers["content-type"] == "audio/wav"
    assert tokens["output"] == frames // 1_920
    assert tokens["total"] == tokens["input"] + tokens["output"]


@pytest.mark.parametrize("timbre", ["bass", "soprano"])
async def test_a_reference_is_cloned(sdk: openai.AsyncOpenAI, timbre: str) -> None:
    reply = await spoken(sdk, text=LONG_ENOUGH, extra_body=a_reference(timbre))

    assert pitch_hz(reply.content) == pytest.approx({"bass": 84.0, "soprano": 251.0}[timbre], rel=0.1)


async def test_a_described_voice_speaks(sdk: openai.AsyncOpenAI) -> None:
    body = {"task_type": "VoiceDesign"}

    man = await spoken(sdk, text=LONG_ENOUGH, instructions="An old man with a deep voice.", extra_body=body)
    woman = await spoken(sdk, text=LONG_ENOUGH, instructions="A young woman with a high voice.", extra_body=body)

    assert pitch_hz(man.content) < 0.8 * pitch_hz(woman.content)


async def test_a_voice_is_uploaded_spoken_with_listed_and_deleted(sdk: openai.AsyncOpenAI) -> None:
    made = await sdk.audio.voices.create(
        name="narrator", consent="yes", audio_sample=("a.wav", a_recording("bass"), "audio/wav")
    )
    listed: Any = await sdk.get("/audio/voices", cast_to=object)
    reply = await spoken(sdk, text=LONG_ENOUGH, voice="narrator")
    await sdk.delete("/audio/voices/narrator", cast_to=object)

    (uploaded,) = listed["uploaded_voices"]
    assert made.to_dict()["success"] is True
    assert (uploaded["name"], uploaded["mime_type"], "narrator" in listed["voices"]) == ("narrator", "audio/wav", True)
    assert pitch_hz(reply.content) == pytest.approx(84.0, rel=0.1)
    with pytest.raises(openai.BadRequestError, match="Invalid speaker 'narrator'"):
        await spoken(sdk, voice="narrator")
    with pytest.raises(openai.NotFoundError):
        await sdk.delete("/audio/voices/narrator", cast_to=object)


@pytest.mark.parametrize("response_format", ["mp3", "flac", "opus", "pcm"])
async def test_every_format_decodes(sdk: openai.AsyncOpenAI, response_format: str) -> None:
    data = (await spoken(sdk, response_format=response_format)).content

    duration_s = len(data) / 48_000 if response_format == "pcm" else decode_recording(data).duration_s
    assert 1.2 < duration_s < 4


async def test_the_same_seed_says_the_same_and_another_does_not(sdk: openai.AsyncOpenAI) -> None:
    first, again, other, unseeded = [
        (await spoken(sdk, extra_body={} if seed is None else {"seed": seed})).content for seed in (5, 5, 6, None)
    ]

    assert first == again
    assert len({first, other, unseeded}) == 3


async def test_a_faster_voice_is_shorter_and_as_high(sdk: openai.AsyncOpenAI) -> None:
    plain, fast = [(await spoken(sdk, text=LONG_ENOUGH, speed=speed)).content for speed in (1.0, 1.6)]

    assert len(fast) < 0.8 * len(plain)
    assert pitch_hz(fast) == pytest.approx(pitch_hz(plain), rel=0.08)


async def test_events_carry_the_audio_and_then_the_account(sdk: openai.AsyncOpenAI) -> None:
    arguments: dict[str, Any] = {"model": MODEL, "voice": "Vivian", "extra_body": {"seed": 5}}
    whole = (await spoken(sdk, response_format="pcm", extra_body={"seed": 5})).content
    async with sdk.audio.speech.with_streaming_response.create(
        input=TEXT, response_format="pcm", stream_format="sse", **arguments
    ) as reply:
        lines = [line async for line in reply.iter_lines() if line]

    names = [line.removeprefix("event: ") for line in lines[::2]]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[1::2]]
    assert names == [event["type"] for event in events]
    assert names == ["speech.audio.delta"] * (len(names) - 1) + ["speech.audio.done"]
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == whole
    assert events[-1]["usage"]["output_tokens"] == len(whole) // 2 // 1_920


async def test_bare_audio_can_be_streamed_too(sdk: openai.AsyncOpenAI) -> None:
    body = {"seed": 5, "stream": True}
    async with sdk.audio.speech.with_streaming_response.create(
        input=TEXT, model=MODEL, voice="Vivian", response_format="wav", stream_format="audio", extra_body=body
    ) as reply:
        data = await reply.read()

    assert data == (await spoken(sdk, extra_body={"seed": 5})).content


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"model": "tts-1"}, openai.NotFoundError, "`tts-1` does not exist"),
        ({"voice": "alloy"}, openai.BadRequestError, "Invalid speaker 'alloy'"),
        ({"text": " "}, openai.BadRequestError, "cannot be empty"),
        ({"speed": 9.0}, openai.BadRequestError, "speed"),
        ({"response_format": "aac"}, openai.BadRequestError, "response_format"),
        ({"response_format": "mp3", "stream_format": "sse"}, openai.BadRequestError, "Streaming is not supported"),
        ({"extra_body": {"language": "Klingon"}}, openai.BadRequestError, "Klingon"),
        ({"extra_body": {"task_type": "Base"}}, openai.BadRequestError, "ref_audio"),
        ({"extra_body": {"ref_audio": "data:audio/wav;base64,AAAA"}}, openai.BadRequestError, "ref_text"),
        ({"extra_body": {"ref_audio": "http://h/a.wav", "ref_text": "a"}}, openai.BadRequestError, "data URLs"),
        ({"extra_body": {"task_type": "VoiceDesign"}}, openai.BadRequestError, "instructions"),
    ],
)
async def test_what_is_wrong_is_raised_as_its_own_errors(
    sdk: openai.AsyncOpenAI, arguments: dict[str, Any], error: type[openai.APIStatusError], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        await spoken(sdk, **arguments)

    body: Any = raised.value.body
    assert body["code"] == raised.value.status_code
    assert body["type"] == {400: "BadRequestError", 404: "NotFoundError"}[raised.value.status_code]


async def test_a_bad_key_is_its_authentication_error(standin: Standin) -> None:
    async with openai.AsyncOpenAI(api_key="wrong", base_url=standin.base_url + "/v1", max_retries=0) as sdk:
        with pytest.raises(openai.AuthenticationError):
            await spoken(sdk)

    assert standin.account.meter()["total"] == {}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("platform-429", openai.RateLimitError),
        ("platform-503", openai.InternalServerError),
        ("app-error", openai.InternalServerError),
        ("reset-before", openai.APIConnectionError),
    ],
)
async def test_trouble_is_raised_as_its_own_errors(
    standin: Standin, sdk: openai.AsyncOpenAI, fault: str, error: type[Exception]
) -> None:
    standin.script.load({"faults": [{"fault": fault}]})

    with pytest.raises(error):
        await spoken(sdk)


async def test_an_error_within_a_stream_is_its_last_event(standin: Standin, sdk: openai.AsyncOpenAI) -> None:
    standin.script.load({"faults": [{"fault": "stream-error-event"}]})
    async with sdk.audio.speech.with_streaming_response.create(
        input=TEXT, model=MODEL, voice="Vivian", response_format="pcm", stream_format="sse"
    ) as reply:
        lines = [line async for line in reply.iter_lines() if line]

    error = json.loads(lines[-1].removeprefix("data: "))
    assert lines[-2] == "event: speech.audio.error"
    assert (error["type"], error["error"]["code"]) == ("speech.audio.error", 500)


async def test_its_own_retry_gets_what_it_asked_for(standin: Standin) -> None:
    standin.script.load({"faults": [{"fault": "platform-503", "retry_after": "0.01"}]})
    async with openai.AsyncOpenAI(api_key=VLLM_KEY, base_url=standin.base_url + "/v1", max_retries=1) as sdk:
        reply = await spoken(sdk)

    assert reply.content[:4] == b"RIFF"
    assert list(standin.account.meter()["requests"].values()) == [{"503": 1, "200": 1}]


async def test_the_gpu_is_billed_in_both_dialects(standin: Standin, sdk: openai.AsyncOpenAI) -> None:
    reply = await spoken(sdk)

    assert standin.account.meter()["billed"] == {
        "A10G": {"gpu_s": float(reply.response.headers["x-inference-seconds"])}
    }
