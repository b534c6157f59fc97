"""The provider's own SDK (both of its versions) finds in our stand-in the service it was written for."""

import base64
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import pytest
from dashscope.v2.errors import (
    AuthenticationError,
    BadRequestError,
    DashScopeError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)

from harness.emulators.options import QwenOptions
from harness.emulators.server import Standin, running_qwen
from tests.canaries import QWEN_KEY
from tests.conformance.dashscope_client import client, first_version, in_thread, realtime
from tests.harness.emulators.callers import GOLDEN_TEXT, Caller, a_recording

# Version 2 says at its first use that its audio half is a preview.
pytestmark = pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning")

SPEECH = {"model": "qwen3-tts-flash", "voice": "Cherry", "language_type": "Chinese"}
DESIGN = {
    "target_model": "qwen3-tts-vd-2026-01-26",
    "voice_prompt": "A calm middle-aged narrator.",
    "preview_text": "Hello everyone, welcome.",
    "preferred_name": "narrator",
    "language": "en",
}
ENROLMENT = "qwen-voice-enrollment"


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    async with running_qwen() as standin:
        yield standin


async def fetched(session: Any, url: str) -> bytes:
    return (await Caller(session, "").get(url, headers={})).body


def seconds_of(wav: bytes) -> float:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return file.getnframes() / file.getframerate()


async def test_version_2_speaks_at_once(standin: Standin, session: Any) -> None:
    def speak() -> Any:
        with client(standin.base_url) as sdk:
            return sdk.audio.tts.http.synthesize(GOLDEN_TEXT, **SPEECH)

    spoken = await in_thread(speak)

    assert spoken.usage == {"characters": 195}
    assert spoken.audio_id == f"audio_{spoken.request_id}"
    assert 15 < seconds_of(await fetched(session, spoken.audio_url)) < 60


async def test_version_2_speaks_in_a_stream(standin: Standin, session: Any) -> None:
    def speak() -> Any:
        with client(standin.base_url) as sdk:
            return list(sdk.audio.tts.http.stream(GOLDEN_TEXT, **SPEECH))

    chunks = await in_thread(speak)

    wav = await fetched(session, chunks[-1].audio_url)
    assert b"".join(chunk.audio or b"" for chunk in chunks) == wav[44:]
    assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage == {"characters": 195}


async def test_version_1_speaks_at_once(standin: Standin, session: Any) -> None:
    def speak() -> Any:
        with first_version(standin.base_url) as sdk:
            return sdk.audio.qwen_tts.SpeechSynthesizer.call(text=GOLDEN_TEXT, **SPEECH)

    response = await in_thread(speak)

    assert (response.status_code, response.usage["characters"]) == (200, 195)
    assert seconds_of(await fetched(session, response.output.audio["url"])) > 15


async def test_version_1_speaks_in_a_stream(standin: Standin, session: Any) -> None:
    def speak() -> Any:
        with first_version(standin.base_url) as sdk:
            return list(sdk.audio.qwen_tts.SpeechSynthesizer.call(text=GOLDEN_TEXT, stream=True, **SPEECH))

    responses = await in_thread(speak)

    pcm = b"".join(base64.b64decode(response.output.audio["data"]) for response in responses)
    assert [response.output.finish_reason for response in responses] == ["null"] * (len(responses) - 1) + ["stop"]
    assert (await fetched(session, responses[-1].output.audio["url"]))[44:] == pcm


async def test_it_speaks_in_real_time(standin: Standin) -> None:
    def talk(session: Any) -> None:
        session.update_session("Cherry", language_type="English")
        session.append_text("Good morning. ")
        session.append_text("How are you?")
        session.finish()

    events = await in_thread(lambda: realtime(standin.base_url, talk))

    kinds = [event["type"] for event in events]
    pcm = b"".join(base64.b64decode(event["delta"]) for event in events if event["type"] == "response.audio.delta")
    assert (kinds[0], kinds[-1], kinds.count("response.done")) == ("session.created", "session.finished", 2)
    assert "error" not in kinds
    assert 1.0 < len(pcm) / 48_000 < 4.0
    assert standin.account.meter()["total"] == {"characters": 26}


async def test_it_speaks_in_real_time_what_it_commits_itself(standin: Standin) -> None:
    def talk(session: Any) -> None:
        session.update_session("Cherry", mode="commit")
        session.append_text("Not this.")
        session.clear_appended_text()
        session.commit()
        session.append_text("But this.")
        session.commit()
        session.finish()

    events = await in_thread(lambda: realtime(standin.base_url, talk))

    kinds = [event["type"] for event in events]
    assert kinds[2:5] == ["input_text_buffer.cleared", "error", "input_text_buffer.committed"]
    assert kinds[-1] == "session.finished"
    assert standin.account.meter()["total"] == {"characters": 9}


async def test_a_voice_is_enrolled_spoken_with_listed_and_deleted(standin: Standin) -> None:
    recording = base64.b64encode(a_recording()).decode()
    content = {
        "action": "create",
        "target_model": "qwen3-tts-vc-2026-01-22",
        "preferred_name": "mine",
        "audio": {"data": f"data:audio/wav;base64,{recording}"},
        "language": "en",
    }

    def enrol() -> Any:
        # Neither version has a method for this maker of voices; its documents show the request itself.
        with first_version(standin.base_url) as sdk:
            place = {"task_group": "audio", "task": "tts", "function": "customization"}
            return sdk.client.base_api.BaseApi.call(model=ENROLMENT, input=content, **place)

    def use(voice: str) -> Any:
        with client(standin.base_url) as sdk:
            voices = sdk.audio.voice_design
            spoken = sdk.audio.tts.http.synthesize("Hello.", model="qwen3-tts-vc-2026-01-22", voice=voice)
            before = voices.list(model=ENROLMENT)
            voices.delete(voice, model=ENROLMENT)
            return spoken, before, voices.list(model=ENROLMENT)

    made = await in_thread(enrol)
    spoken, before, after = await in_thread(lambda: use(made.output["voice"]))

    assert (made.status_code, made.output["fallback_mode"], made.usage) == (200, False, {"count": 1})
    assert spoken.audio_url
    assert [voice["voice"] for voice in before.voices] == [made.output["voice"]]
    assert (after.voices, after.total_count) == ([], 0)


async def test_a_voice_is_designed_heard_listed_looked_up_and_deleted(standin: Standin) -> None:
    def use() -> Any:
        with client(standin.base_url) as sdk:
            voices = sdk.audio.voice_design
            made = voices.create(parameters={"sample_rate": 24_000, "response_format": "wav"}, **DESIGN)
            listed, looked_up = voices.list(page_size=5), voices.get(made.voice)
            voices.delete(made.voice)
            with pytest.raises(BadRequestError) as raised:
                voices.get(made.voice)
            return made, listed, looked_up, raised.value

    made, listed, looked_up, error = await in_thread(use)

    assert seconds_of(base64.b64decode(made.preview_audio["data"])) > 0.8
    assert listed.voices[0]["voice"] == looked_up.voice == made.voice
    assert (looked_up.voice_prompt, looked_up.language) == (DESIGN["voice_prompt"], "en")
    assert error.code == "VoiceNotFound"


async def failure(standin: Standin, *, stream: bool = False, api_key: str = QWEN_KEY, **changes: Any) -> Any:
    """The error that a synthesis ends with."""

    def speak() -> Any:
        arguments = {**SPEECH, **changes}
        with client(standin.base_url, api_key=api_key) as sdk:
            http = sdk.audio.tts.http
            with pytest.raises(DashScopeError) as raised:
                list(http.stream("Hello.", **arguments)) if stream else http.synthesize("Hello.", **arguments)
        return raised.value

    return await in_thread(speak)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bad_key_is_its_authentication_error(standin: Standin, stream: bool) -> None:
    error = await failure(standin, stream=stream, api_key="nonsense")

    assert (type(error), error.code, error.status_code) == (AuthenticationError, "InvalidApiKey", 401)
    assert error.request_id


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model_is_its_not_found_error(standin: Standin, stream: bool) -> None:
    error = await failure(standin, stream=stream, model="qwen9-tts")

    assert (type(error), error.code) == (NotFoundError, "ModelNotFound")


async def test_a_foreign_voice_is_its_bad_request_error(standin: Standin) -> None:
    error = await failure(standin, voice="Nobody")

    assert (type(error), error.code) == (BadRequestError, "InvalidParameter")


@pytest.mark.parametrize("stream", [False, True])
async def test_throttling_is_its_rate_limit_error(session: Any, stream: bool) -> None:
    async with running_qwen(QwenOptions(requests_per_minute=1, time_scale=0.05)) as standin:
        await Caller(session, standin.base_url).speak()
        error = await failure(standin, stream=stream)

    assert (type(error), error.code, error.status_code) == (RateLimitError, "Throttling.RateQuota", 429)


@pytest.mark.parametrize("fault", ["stream-error-data", "stream-error-event"])
async def test_an_error_within_a_stream_is_raised_by_its_code(standin: Standin, fault: str) -> None:
    standin.script.load({"faults": [{"fault": fault}]})

    error = await failure(standin, stream=True)

    assert (type(error), error.code) == (RateLimitError, "Throttling.RateQuota")


@pytest.mark.parametrize("fault", ["stream-crlf", "stream-multiline", "stream-no-last-blank", "stream-bytewise"])
async def test_the_liberties_of_the_stream_are_those_it_takes(standin: Standin, session: Any, fault: str) -> None:
    standin.script.load({"faults": [{"fault": fault}]})

    def speak() -> Any:
        with client(standin.base_url) as sdk:
            return list(sdk.audio.tts.http.stream("Good morning to everybody.", **SPEECH))

    chunks = await in_thread(speak)

    assert b"".join(chunk.audio or b"" for chunk in chunks) == (await fetched(session, chunks[-1].audio_url))[44:]


async def test_its_own_retry_honours_our_retry_after(standin: Standin) -> None:
    standin.script.load({"faults": [{"fault": "rate-quota", "retry_after": "0"}, {"fault": "internal-error"}]})

    def speak() -> Any:
        with client(standin.base_url, max_retries=1) as sdk, pytest.raises(InternalServerError):
            sdk.audio.tts.http.synthesize("Hello.", **SPEECH)

    await in_thread(speak)

    (statuses,) = standin.account.meter()["requests"].values()
    assert statuses == {"429": 1, "500": 1}


async def test_version_1_reports_errors_as_it_documents(standin: Standin) -> None:
    def speak(api_key: str, model: str) -> Any:
        with first_version(standin.base_url, api_key=api_key) as sdk:
            return sdk.audio.qwen_tts.SpeechSynthesizer.call(text="Hello.", **{**SPEECH, "model": model})

    found = [
        await in_thread(lambda: speak("nonsense", "qwen3-tts-flash")),
        await in_thread(lambda: speak(QWEN_KEY, "no")),
    ]

    assert [(each.status_code, each.code) for each in found] == [(401, "InvalidApiKey"), (404, "ModelNotFound")]
    assert all(each.message and each.request_id for each in found)


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("bad-key", AuthenticationError, "InvalidApiKey"),
        ("rate-quota", RateLimitError, "Throttling.RateQuota"),
        ("model-gone", NotFoundError, "ModelNotFound"),
        ("voice-storage", RateLimitError, "Throttling.AllocationQuota"),  # a 400, which it too decides by its code
    ],
)
async def test_making_a_voice_fails_with_its_documented_errors(
    standin: Standin, fault: str, error: type[DashScopeError], code: str
) -> None:
    standin.script.load({"faults": [{"fault": fault, "path": "*/customization"}]})

    def make() -> Any:
        with client(standin.base_url) as sdk, pytest.raises(DashScopeError) as raised:
            sdk.audio.voice_design.create(parameters={}, **DESIGN)
        return raised.value

    raised = await in_thread(make)

    assert (type(raised), raised.code) == (error, code)
    assert standin.account.meter()["voices"] == 0


async def test_a_voice_that_is_gone_is_told_to_who_deletes_it(standin: Standin) -> None:
    def delete() -> Any:
        with client(standin.base_url) as sdk, pytest.raises(BadRequestError) as raised:
            sdk.audio.voice_design.delete("qwen-tts-vd-nobody-voice-20260301120000123-ab12", model=ENROLMENT)
        return raised.value

    assert "VoiceNotFound" in (await in_thread(delete)).code


async def test_a_voice_of_another_model_is_an_error_of_the_session(standin: Standin) -> None:
    def talk(session: Any) -> None:
        session.update_session("qwen-tts-vc-mine-voice-20260301120000123-ab12")
        session.finish()

    events = await in_thread(lambda: realtime(standin.base_url, talk))

    error = next(event["error"] for event in events if event["type"] == "error")
    assert error["code"] == "invalid_value"
    assert error["message"].endswith("is not supported.")
    assert events[-1]["type"] == "session.finished"
