import asyncio
from typing import Any

import aiohttp
import pytest

from harness.clock import FakeClock
from harness.emulators.calls import Calls
from harness.emulators.options import QwenOptions
from harness.emulators.scenarios import Damage, Fault, conduct_in
from harness.emulators.server import running_qwen
from tests.harness.emulators.callers import Caller, level_db, samples_of
from tests.virtual_time import VirtualClock

ENDINGS = {
    Fault.INTERNAL_ERROR: "500 InternalError",
    Fault.UNAVAILABLE: "503 ModelUnavailable",
    Fault.RESET: "reset",
    Fault.HANG: "hang",
}


def a_text(scenario: str, what: str, wanted: Fault | Damage | None) -> str:
    """A text that, spoken by Cherry in English with seed 1, meets this fault or damage."""
    conduct, calls = conduct_in(scenario, "qwen"), Calls(1)
    texts = (f"This is sentence number {number}." for number in range(10_000))
    return next(
        text
        for text in texts
        if getattr(conduct, what)(calls.next("qwen3-tts-flash", text, "en", "cherry", None)) is wanted
    )


def a_description(fault: Fault) -> str:
    """A description whose design, with the preview of `Caller.design`, meets this fault."""
    conduct, calls = conduct_in("flaky", "qwen"), Calls(1)
    prompts = (f"Voice number {number}." for number in range(10_000))
    return next(
        prompt
        for prompt in prompts
        if conduct.fault(calls.next("qwen-voice-design", prompt, "Hello everyone, welcome.", "en")) is fault
    )


async def ending(call: Any, fault: Fault) -> str:
    """How a call ends; patient unless it will hang."""
    try:
        async with asyncio.timeout(0.1 if fault is Fault.HANG else 10):
            answer = await call
    except TimeoutError:
        return "hang"
    except aiohttp.ClientConnectionError:
        return "reset"
    return "ok" if answer.status == 200 else f"{answer.status} {answer.json['code']}"


@pytest.mark.parametrize("fault", Fault)
async def test_a_flaky_call_fails_as_it_must_and_again_on_a_retry(session: aiohttp.ClientSession, fault: Fault) -> None:
    text = a_text("flaky", "fault", fault)
    async with running_qwen(QwenOptions(scenario="flaky"), clock=VirtualClock()) as standin:
        caller = Caller(session, standin.base_url)
        ends = [await ending(caller.speak(text, language_type="English"), fault) for _ in range(2)]

    assert ends == [ENDINGS[fault]] * 2


@pytest.mark.parametrize(
    ("fault", "billed"),
    [(Fault.INTERNAL_ERROR, False), (Fault.UNAVAILABLE, False), (Fault.RESET, True), (Fault.HANG, True)],
)
async def test_a_reply_is_lost_after_the_work_was_billed(
    session: aiohttp.ClientSession, fault: Fault, billed: bool
) -> None:
    text = a_text("flaky", "fault", fault)
    async with running_qwen(QwenOptions(scenario="flaky"), clock=VirtualClock()) as standin:
        await ending(Caller(session, standin.base_url).speak(text, language_type="English"), fault)

    assert standin.account.meter()["total"] == ({"characters": len(text)} if billed else {})


@pytest.mark.parametrize(("fault", "made"), [(Fault.UNAVAILABLE, 0), (Fault.RESET, 1), (Fault.HANG, 1)])
async def test_a_lost_reply_leaves_its_voice_behind(session: aiohttp.ClientSession, fault: Fault, made: int) -> None:
    async with running_qwen(QwenOptions(scenario="flaky"), clock=VirtualClock()) as standin:
        end = await ending(Caller(session, standin.base_url).design(a_description(fault)), fault)

    assert end == ENDINGS[fault]
    assert len(standin.account.voices) == made
    assert standin.account.meter()["total"] == ({"voices": 1} if made else {})


@pytest.mark.parametrize(
    ("damage", "least_db", "most_db"),
    [(None, -22.0, -20.0), (Damage.SILENT, -200.0, -100.0), (Damage.CLIPPED, -8.0, -1.0)],
)
async def test_a_degraded_service_sends_spoilt_audio_with_a_good_reply(
    session: aiohttp.ClientSession, damage: Damage | None, least_db: float, most_db: float
) -> None:
    text = a_text("degraded", "damage", damage)
    async with running_qwen(QwenOptions(scenario="degraded"), clock=VirtualClock()) as standin:
        caller = Caller(session, standin.base_url)
        wav = await caller.audio_of(await caller.speak(text, language_type="English"))

    assert least_db < level_db(samples_of(wav)) < most_db


async def test_a_slow_service_stalls_some_calls_for_many_times_the_usual(session: aiohttp.ClientSession) -> None:
    clock = FakeClock()
    took_s = []
    async with running_qwen(QwenOptions(scenario="slow", time_scale=1.0), clock=clock) as standin:
        for number in range(24):
            started_s = clock.monotonic()
            await Caller(session, standin.base_url).speak(f"Text number {number}.")
            took_s.append(clock.monotonic() - started_s)

    # A second or two each, and when stalled 30 more than three times what the legacy path takes at worst.
    stalled = [took for took in took_s if took > 50]
    assert 2 <= len(stalled) <= 12
    assert all(took < 4 for took in took_s if took not in stalled)


@pytest.mark.parametrize("scenario", ["flaky", "degraded"])
async def test_clones_are_made_whatever_happens(session: aiohttp.ClientSession, scenario: str, wav: bytes) -> None:
    async with running_qwen(QwenOptions(scenario=scenario), clock=VirtualClock()) as standin:
        caller = Caller(session, standin.base_url)
        answers = [await caller.enrol(wav, preferred_name=f"n{number}") for number in range(8)]

    assert [answer.status for answer in answers] == [200] * 8
