import asyncio
from collections import Counter

import aiohttp
import pytest

from harness.emulators.options import QwenOptions
from harness.emulators.server import running_qwen
from tests.harness.emulators.callers import Caller, level_db, samples_of

TEXTS = [f"Text number {number}." for number in range(60)]


async def ending(caller: Caller, text: str) -> str:
    """How one synthesis ends."""
    try:
        async with asyncio.timeout(0.5):
            answer = await caller.speak(text)
    except TimeoutError:
        return "hang"
    except (aiohttp.ClientError, ConnectionResetError):
        return "reset"
    return "ok" if answer.status == 200 else f"{answer.status} {answer.json['code']}"


async def endings(caller: Caller) -> dict[str, str]:
    async with asyncio.TaskGroup() as tasks:
        under_way = {text: tasks.create_task(ending(caller, text)) for text in TEXTS}
    return {text: task.result() for text, task in under_way.items()}


async def test_a_flaky_service_fails_in_each_way_and_again_on_a_retry(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(scenario="flaky", seed=5)) as standin:
        caller = Caller(session, standin.base_url)
        first, again = await endings(caller), await endings(caller)
        meter = standin.account.meter()

    counts = Counter(first.values())
    assert first == again
    assert set(counts) == {"ok", "500 InternalError", "503 ModelUnavailable", "reset", "hang"}
    assert 3 <= len(TEXTS) - counts["ok"] <= 14
    billed = [text for text, end in first.items() if end in ("ok", "reset", "hang")]
    assert meter["total"] == {"characters": 2 * sum(map(len, billed))}


async def test_a_degraded_service_sends_spoilt_audio_with_a_good_reply(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(scenario="degraded")) as standin:
        caller = Caller(session, standin.base_url)
        levels = [level_db(samples_of(await caller.audio_of(await caller.speak(text)))) for text in TEXTS]

    assert any(level < -80 for level in levels)
    assert any(level > -8 for level in levels)
    assert sum(-24 < level < -18 for level in levels) > len(levels) / 2


async def test_a_slow_service_stalls_some_calls_for_many_times_the_usual(session: aiohttp.ClientSession) -> None:
    async def took_s(caller: Caller, text: str) -> float:
        started_s = asyncio.get_running_loop().time()
        await caller.speak(text)
        return asyncio.get_running_loop().time() - started_s

    async with running_qwen(QwenOptions(scenario="slow", time_scale=0.005)) as standin:
        caller = Caller(session, standin.base_url)
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(took_s(caller, text)) for text in TEXTS]

    stalled = [call for call in calls if call.result() > 60 * 0.005]
    assert 5 <= len(stalled) <= 26


async def test_a_lost_reply_leaves_its_voice_behind(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(scenario="flaky")) as standin:
        caller = Caller(session, standin.base_url)
        lost = 0
        for number in range(120):
            try:
                async with asyncio.timeout(0.3):
                    await caller.design(f"Voice number {number}.", preferred_name=f"n{number}", preview_text="Hi.")
            except (TimeoutError, aiohttp.ClientError, ConnectionResetError):
                lost += 1
                assert any(f"-n{number}-" in voice for voice in standin.account.voices)

    assert lost
    assert standin.account.meter()["total"] == {"voices": len(standin.account.voices)}


@pytest.mark.parametrize("scenario", ["flaky", "slow", "degraded"])
async def test_clones_are_made_whatever_happens(session: aiohttp.ClientSession, scenario: str, wav: bytes) -> None:
    async with running_qwen(QwenOptions(scenario=scenario)) as standin:
        caller = Caller(session, standin.base_url)
        answers = [await caller.enrol(wav, preferred_name=f"n{number}") for number in range(12)]

    assert [answer.status for answer in answers] == [200] * 12
