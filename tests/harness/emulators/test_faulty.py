from collections.abc import AsyncIterator

import aiohttp
import pytest

from harness.emulators.fault_refusals import PLATFORM_REFUSALS, QWEN_REFUSALS
from harness.emulators.faulty import modal_script, qwen_script
from harness.emulators.server import Standin, running_modal, running_qwen
from tests.harness.emulators.callers import CUSTOMIZE, KEY, SPEAK, Caller


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    async with running_qwen() as standin:
        yield standin


@pytest.mark.parametrize("name", QWEN_REFUSALS)
async def test_every_refusal_of_qwen_reaches_the_caller_and_bills_nothing(
    session: aiohttp.ClientSession, standin: Standin, name: str
) -> None:
    standin.script.load({"faults": [{"fault": name}]})
    caller = Caller(session, standin.base_url)

    refused, after = await caller.speak(), await caller.speak()

    expected = QWEN_REFUSALS[name]
    assert refused.status == expected.status
    if expected.code is None:
        assert refused.body.decode() == expected.message
    else:
        assert list(refused.json) == ["code", "message", "request_id"]
        assert (refused.json["code"], refused.json["message"]) == (expected.code, expected.message)
    assert after.status == 200
    assert standin.account.meter()["total"] == {"characters": 13}


@pytest.mark.parametrize("name", PLATFORM_REFUSALS)
async def test_every_refusal_of_modal_reaches_the_caller_and_bills_nothing(
    session: aiohttp.ClientSession, wav: bytes, name: str
) -> None:
    async with running_modal() as standin:
        standin.script.load({"faults": [{"fault": name}]})
        refused = await Caller(session, standin.base_url).clone(recording=wav)

    expected = PLATFORM_REFUSALS[name]
    words = refused.json["detail"] if expected.code else refused.body.decode()
    assert (refused.status, words) == (expected.status, expected.message)
    assert standin.account.meter()["total"] == {}


@pytest.mark.parametrize("value", ["2", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1e9", "soon"])
async def test_a_refusal_may_say_when_to_come_back_in_any_spelling(
    session: aiohttp.ClientSession, standin: Standin, value: str
) -> None:
    standin.script.load({"faults": [{"fault": "rate-quota", "retry_after": value}]})

    assert (await Caller(session, standin.base_url).speak()).headers["Retry-After"] == value


async def test_a_header_chooses_a_fault_for_its_own_request(session: aiohttp.ClientSession, standin: Standin) -> None:
    caller = Caller(session, standin.base_url)

    answer = await caller.post(CUSTOMIZE, {}, headers={**KEY, "X-Standin-Fault": "burst-rate; retry_after=3"})
    unknown = await caller.post(CUSTOMIZE, {}, headers={**KEY, "X-Standin-Fault": "bursted"})

    assert (answer.json["code"], answer.headers["Retry-After"]) == ("Throttling.BurstRate", "3")
    assert unknown.status == 400
    assert b"no fault 'bursted'" in unknown.body


@pytest.mark.parametrize("fault", ["slow-body; bytes_per_s=much", "redirect; status=away", "gzip-bomb; megabytes=?"])
async def test_a_parameter_that_is_no_number_is_told(
    session: aiohttp.ClientSession, standin: Standin, fault: str
) -> None:
    body = {"model": "qwen3-tts-flash", "input": {"text": "Hello.", "voice": "Cherry"}}

    answer = await Caller(session, standin.base_url).post(SPEAK, body, headers={**KEY, "X-Standin-Fault": fault})

    assert answer.status == 400
    assert b"must be a number" in answer.body


async def test_without_a_key_no_fault_is_met(session: aiohttp.ClientSession, standin: Standin) -> None:
    standin.script.load({"faults": [{"fault": "unavailable"}]})
    caller = Caller(session, standin.base_url)

    nobody = await caller.post(CUSTOMIZE, {}, headers={})

    assert (nobody.status, (await caller.speak()).status) == (401, 503)


async def test_a_running_standin_takes_another_script_and_a_reset_ends_it(
    session: aiohttp.ClientSession, standin: Standin
) -> None:
    caller = Caller(session, standin.base_url)
    loaded = await caller.post("/_standin/faults", {"faults": [{"fault": "unavailable", "times": None}]}, headers={})
    down = await caller.speak()
    wrong = await caller.post("/_standin/faults", {"faults": [{"fault": "none"}]}, headers={})
    await caller.post("/_standin/reset", headers={})

    assert (loaded.status, down.status, wrong.status) == (200, 503, 400)
    assert (await caller.speak()).status == 200


async def test_what_is_wrong_with_the_audio_is_met_by_its_download(
    session: aiohttp.ClientSession, standin: Standin
) -> None:
    standin.script.load({"faults": [{"fault": "wav-cut"}]})
    caller = Caller(session, standin.base_url)

    answer = await caller.speak()
    cut, whole = await caller.audio_of(answer), await caller.audio_of(answer)

    assert 44 < len(cut) < 0.6 * len(whole)


async def test_at_modal_the_reply_itself_is_the_audio(session: aiohttp.ClientSession, wav: bytes) -> None:
    async with running_modal() as standin:
        standin.script.load({"faults": [{"fault": "wav-head-only", "path": "/clone"}]})
        answer = await Caller(session, standin.base_url).clone(recording=wav)

    assert (answer.status, len(answer.body)) == (200, 44)


async def test_a_download_is_refused_in_the_words_of_its_own_host(
    session: aiohttp.ClientSession, standin: Standin
) -> None:
    standin.script.load({"faults": [{"fault": "unavailable", "on": "audio"}]})
    caller = Caller(session, standin.base_url)

    answer = await caller.get((await caller.speak()).json["output"]["audio"]["url"], headers={})

    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (503, "application/xml")


def test_each_standin_knows_its_own_refusals_and_the_rest_in_common() -> None:
    assert qwen_script().sides.keys() ^ modal_script().sides.keys() == QWEN_REFUSALS.keys() ^ PLATFORM_REFUSALS.keys()
