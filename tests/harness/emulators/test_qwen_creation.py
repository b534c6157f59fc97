import base64
import re
from typing import Any

import aiohttp
import pytest

from harness.clock import FakeClock
from harness.emulators.audio import decode_recording
from harness.emulators.options import QwenOptions
from harness.emulators.server import running_qwen
from harness.emulators.timbres import median_pitch_hz
from harness.speech import PROBE_TEXTS
from tests.harness.emulators.callers import CUSTOMIZE, LONG_ENOUGH, Caller, samples_of

CLONED = (
    r'\{"output":\{"voice":"qwen-tts-vc-test-voice-\d{17}-[0-9a-f]{4}","target_model":"qwen3-tts-vc-2026-01-22",'
    r'"fallback_mode":false\},"usage":\{"count":1\},"request_id":"[0-9a-f-]{36}"\}'
)
DESIGNED = (
    r'\{"output":\{"voice":"qwen-tts-vd-test-voice-\d{17}-[0-9a-f]{4}","target_model":"qwen3-tts-vd-2026-01-26",'
    r'"preview_audio":\{"data":"([A-Za-z0-9+/=]+)","sample_rate":24000,"response_format":"wav"\}\},'
    r'"usage":\{"count":1\},"request_id":"[0-9a-f-]{36}"\}'
)


async def test_a_clone_is_an_id_and_no_audio(qwen: Caller, wav: bytes) -> None:
    answer = await qwen.enrol(wav, text=LONG_ENOUGH, language="en")

    assert answer.status == 200
    assert re.fullmatch(CLONED, answer.body.decode())


async def test_a_design_is_an_id_and_its_preview(qwen: Caller) -> None:
    answer = await qwen.design()

    match = re.fullmatch(DESIGNED, answer.body.decode())
    assert match is not None
    assert 0.8 < len(samples_of(base64.b64decode(match[1]))) / 24_000 < 3.0


async def test_ids_carry_the_time_in_china(session: aiohttp.ClientSession) -> None:
    async with running_qwen(clock=FakeClock()) as standin:
        answer = await Caller(session, standin.base_url).design()

    # The fake clock begins at midnight UTC, and making the voice took some of the service's seconds.
    assert "-voice-20261123080000" in answer.json["output"]["voice"]


async def test_a_degraded_clone_says_so(qwen: Caller, wav: bytes) -> None:
    output = (await qwen.enrol(wav, text="No.")).json["output"]

    assert output["fallback_mode"] is True
    assert output["fallback_reason"] == "no_valid_asr_segments"


async def test_a_clone_speaks_like_its_recording(qwen: Caller, wav: bytes) -> None:
    voice = (await qwen.enrol(wav)).json["output"]["voice"]

    spoken = await qwen.audio_of(await qwen.speak(PROBE_TEXTS["en"], model="qwen3-tts-vc-2026-01-22", voice=voice))

    pitch_hz = [median_pitch_hz(samples_of(each), rate_hz=24_000) for each in (wav, spoken)]
    assert pitch_hz[1] == pytest.approx(pitch_hz[0], rel=0.1)


async def test_a_designed_voice_speaks_like_its_preview(qwen: Caller) -> None:
    output = (await qwen.design(preview_text=PROBE_TEXTS["en"])).json["output"]
    preview = base64.b64decode(output["preview_audio"]["data"])

    spoken = await qwen.audio_of(
        await qwen.speak(PROBE_TEXTS["de"], model="qwen3-tts-vd-2026-01-26", voice=output["voice"])
    )

    pitch_hz = [median_pitch_hz(samples_of(each), rate_hz=24_000) for each in (preview, spoken)]
    assert pitch_hz[1] == pytest.approx(pitch_hz[0], rel=0.1)


@pytest.mark.parametrize(("extension", "rate_hz"), [("wav", 48_000), ("mp3", 24_000), ("opus", 16_000)])
async def test_a_preview_comes_in_the_format_asked_for(qwen: Caller, extension: str, rate_hz: int) -> None:
    answer = await qwen.design(parameters={"sample_rate": rate_hz, "response_format": extension})

    sound = answer.json["output"]["preview_audio"]
    recording = decode_recording(base64.b64decode(sound["data"]))
    assert (sound["sample_rate"], sound["response_format"]) == (rate_hz, extension)
    assert 0.8 < recording.duration_s < 3.0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param({"target_model": None}, "InvalidParameter", id="no target"),
        pytest.param({"target_model": "qwen3-tts-vd-2026-01-26"}, "InvalidParameter", id="the target of designs"),
        pytest.param({"preferred_name": "has space"}, "InvalidParameter", id="a space in the name"),
        pytest.param({"preferred_name": "x" * 17}, "InvalidParameter", id="a long name"),
        pytest.param({"preferred_name": "naïve"}, "InvalidParameter", id="a letter beyond ASCII"),
        pytest.param({"language": "English"}, "InvalidParameter", id="a name for a language"),
        pytest.param({"audio": None}, "InvalidParameter", id="no audio"),
        pytest.param({"audio": {"data": "data:audio/wav;base64,UklGRg=="}}, "Audio.DecoderError", id="broken audio"),
    ],
)
async def test_a_wrong_clone_is_refused_and_costs_nothing(
    session: aiohttp.ClientSession, wav: bytes, content: dict[str, Any], code: str
) -> None:
    async with running_qwen() as standin:
        answer = await Caller(session, standin.base_url).enrol(wav, **content)

    assert (answer.status, answer.json["code"]) == (400, code)
    assert standin.account.meter()["total"] == {}


@pytest.mark.parametrize(
    ("content", "parameters"),
    [
        pytest.param({"target_model": "qwen3-tts-vc-2026-01-22"}, None, id="the target of clones"),
        pytest.param({"voice_prompt": ""}, None, id="no description"),
        pytest.param({"voice_prompt": "x" * 2_049}, None, id="a long description"),
        pytest.param({"preview_text": None}, None, id="no preview"),
        pytest.param({"preview_text": "x" * 1_025}, None, id="a long preview"),
        pytest.param({}, {"sample_rate": 22_050}, id="another rate"),
        pytest.param({}, {"response_format": "flac"}, id="another format"),
        pytest.param({}, [1], id="no parameters"),
    ],
)
async def test_a_wrong_design_is_refused(qwen: Caller, content: dict[str, Any], parameters: Any) -> None:
    answer = await qwen.design(parameters=parameters, **content)

    assert (answer.status, answer.json["code"]) == (400, "InvalidParameter")


async def test_a_full_account_is_refused_until_a_voice_goes(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(max_voices=1)) as standin:
        caller = Caller(session, standin.base_url)
        voice = (await caller.design()).json["output"]["voice"]
        refused = await caller.design()
        body = {"model": "qwen-voice-design", "input": {"action": "delete", "voice": voice}}
        await caller.post(CUSTOMIZE, body)
        made = await caller.design()

    assert (refused.status, refused.json["code"]) == (400, "Throttling.AllocationQuota")
    assert "Maximum voice storage limit exceeded" in refused.json["message"]
    assert made.status == 200


async def test_a_costly_service_counts_a_voice_three_times(session: aiohttp.ClientSession, wav: bytes) -> None:
    async with running_qwen(QwenOptions(scenario="costly")) as standin:
        answer = await Caller(session, standin.base_url).enrol(wav)

    assert answer.json["usage"] == {"count": 3}
    assert standin.account.meter()["billed"] == {"qwen-voice-enrollment": {"voices": 3}}


async def test_a_retired_target_takes_no_new_voices(session: aiohttp.ClientSession, wav: bytes) -> None:
    async with running_qwen(QwenOptions(retired=frozenset({"qwen3-tts-vc-2026-01-22"}))) as standin:
        answer = await Caller(session, standin.base_url).enrol(wav)

    assert answer.json["code"] == "ModelNotFound"
