from collections.abc import Mapping

import aiohttp
import pytest

from harness.emulators.options import QwenOptions
from harness.emulators.server import running_qwen
from tests.harness.emulators.callers import CUSTOMIZE, SPEAK, Caller


@pytest.mark.parametrize("path", [SPEAK, CUSTOMIZE])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no key"),
        pytest.param({"Authorization": "Bearer "}, id="an empty key"),
        pytest.param({"Authorization": "Bearer wrong"}, id="no key of theirs"),
        pytest.param({"Authorization": "Basic sk-test"}, id="another scheme"),
        pytest.param({"Authorization": "sk-test"}, id="no scheme"),
    ],
)
async def test_without_a_key_nothing_is_read(qwen: Caller, path: str, headers: Mapping[str, str]) -> None:
    answer = await qwen.post(path, {}, headers=headers)

    assert (answer.status, answer.json["code"], answer.json["message"]) == (
        401,
        "InvalidApiKey",
        "Invalid API-key provided.",
    )


async def test_with_a_key_set_only_that_one_counts(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(api_key="sk-mine")) as standin:
        caller = Caller(session, standin.base_url)
        body = {"model": "qwen3-tts-flash", "input": {"text": "Hello.", "voice": "Cherry"}}
        statuses = [
            (await caller.post(SPEAK, body, headers={"Authorization": f"Bearer {key}"})).status
            for key in ("sk-mine", "sk-other")
        ]

    assert statuses == [200, 401]


async def test_a_key_is_good_in_its_own_region_alone(session: aiohttp.ClientSession) -> None:
    keys = frozenset({("ap-southeast-1", "sk-intl"), ("cn-beijing", "sk-cn")})
    body = {"model": "qwen3-tts-flash", "input": {"text": "Hello.", "voice": "Cherry"}}
    statuses = {}
    for region in ("ap-southeast-1", "cn-beijing"):
        async with running_qwen(QwenOptions(region=region, region_keys=keys)) as standin:
            caller = Caller(session, standin.base_url)
            for key in ("sk-intl", "sk-cn", "sk-other"):
                answer = await caller.post(SPEAK, body, headers={"Authorization": f"Bearer {key}"})
                statuses[region, key] = answer.json.get("code", "ok")

    assert {pair for pair, code in statuses.items() if code == "ok"} == set(keys)
    assert set(statuses.values()) == {"ok", "InvalidApiKey"}


async def test_the_meter_needs_no_key(qwen: Caller) -> None:
    await qwen.speak()

    meter = (await qwen.get("/_standin/meter", headers={})).json

    assert meter["total"] == {"characters": 13}
    assert meter["requests"] == {f"POST {SPEAK}": {"200": 1}}


async def test_a_reset_forgets_the_voices_too(qwen: Caller) -> None:
    voice = (await qwen.design()).json["output"]["voice"]

    await qwen.post("/_standin/reset", headers={})

    assert (await qwen.speak(model="qwen3-tts-vd-2026-01-26", voice=voice)).status == 400


async def test_a_reset_gives_back_the_quota_and_the_first_take_of_every_text(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(requests_per_minute=1, time_scale=1e-3)) as standin:
        caller = Caller(session, standin.base_url)
        first = await caller.speak()
        excess = [answer for _ in range(8) if (answer := await caller.speak()).status == 429]
        await caller.post("/_standin/reset", headers={})
        again = await caller.speak()
        takes = [await caller.get(answer.json["output"]["audio"]["url"], headers={}) for answer in (first, again)]

    assert excess
    assert again.status == 200
    assert takes[0].body == takes[1].body
