import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness.emulators.options import QwenOptions
from harness.emulators.server import running_qwen
from tests.harness.emulators.callers import CUSTOMIZE, Answer, Caller

CLONES, DESIGNS = "qwen-voice-enrollment", "qwen-voice-design"


async def asked(caller: Caller, model: str, action: str, **content: Any) -> Answer:
    return await caller.post(CUSTOMIZE, {"model": model, "input": {"action": action, **content}})


async def made(answer: Answer) -> str:
    voice: str = answer.json["output"]["voice"]
    return voice


async def test_clones_are_listed_by_page_as_the_service_words_them(qwen: Caller, wav: bytes) -> None:
    voices = [await made(await qwen.enrol(wav, language="en", preferred_name=f"n{number}")) for number in range(3)]

    pages = [(await asked(qwen, CLONES, "list", page_size=2, page_index=index)).json for index in range(3)]

    first = pages[0]["output"]["voice_list"][0]
    assert [[entry["voice"] for entry in page["output"]["voice_list"]] for page in pages] == [
        voices[:2],
        voices[2:],
        [],
    ]
    assert {key: pages[1]["output"][key] for key in ("page_index", "page_size", "total_count")} == {
        "page_index": 1,
        "page_size": 2,
        "total_count": 3,
    }
    assert pages[0]["usage"] == {"count": 0}
    assert list(first) == ["voice", "target_model", "language", "gmt_create", "gmt_modified"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", first["gmt_create"])


async def test_ten_voices_make_a_page_unless_asked_otherwise(qwen: Caller) -> None:
    for _ in range(11):
        await qwen.design(preview_text="Hi.")

    output = (await asked(qwen, DESIGNS, "list")).json["output"]

    assert (len(output["voice_list"]), output["total_count"], output["page_size"]) == (10, 11, 10)


async def test_designs_are_listed_with_their_words_and_apart_from_clones(qwen: Caller, wav: bytes) -> None:
    await qwen.enrol(wav)
    voice = await made(await qwen.design("A calm narrator.", preview_text="Hello."))

    (entry,) = (await asked(qwen, DESIGNS, "list")).json["output"]["voice_list"]

    assert entry["voice"] == voice
    assert (entry["voice_prompt"], entry["preview_text"], entry["language"]) == ("A calm narrator.", "Hello.", "en")


async def test_a_design_can_be_asked_for_by_its_id(qwen: Caller) -> None:
    voice = await made(await qwen.design())

    answer = await asked(qwen, DESIGNS, "query", voice=voice)

    assert answer.json["output"]["voice"] == voice


async def test_a_deleted_clone_speaks_no_more(qwen: Caller, wav: bytes) -> None:
    voice = await made(await qwen.enrol(wav))

    deleted = await asked(qwen, CLONES, "delete", voice=voice)
    again = await asked(qwen, CLONES, "delete", voice=voice)
    spoken = await qwen.speak(model="qwen3-tts-vc-2026-01-22", voice=voice)

    assert re.fullmatch(rb'\{"usage":\{"count":0\},"request_id":"[0-9a-f-]{36}"\}', deleted.body)
    assert (again.status, again.json["code"], again.json["message"]) == (
        400,
        "BadRequest.VoiceNotFound",
        f"Voice '{voice}' not found.",
    )
    assert spoken.json["code"] == "InvalidParameter"


async def test_a_deleted_design_is_named_once_more(qwen: Caller) -> None:
    voice = await made(await qwen.design())

    deleted = await asked(qwen, DESIGNS, "delete", voice=voice)
    queried = await asked(qwen, DESIGNS, "query", voice=voice)

    assert deleted.json["output"] == {"voice": voice}
    assert deleted.json["usage"] == {}
    assert (queried.status, queried.json["code"]) == (400, "VoiceNotFound")


@pytest.mark.parametrize(
    ("model", "action", "content", "status", "code"),
    [
        pytest.param(CLONES, "query", {"voice": "x"}, 400, "InvalidParameter", id="clones know no query"),
        pytest.param(CLONES, "sing", {}, 400, "InvalidParameter", id="no such action"),
        pytest.param(CLONES, "delete", {}, 400, "InvalidParameter", id="delete nothing"),
        pytest.param(CLONES, "list", {"page_size": 0}, 400, "InvalidParameter", id="a page without room"),
        pytest.param(CLONES, "list", {"page_index": "1"}, 400, "InvalidParameter", id="a page in words"),
        pytest.param("voice-enrollment", "list", {}, 404, "ModelNotFound", id="the other family's maker"),
    ],
)
async def test_what_the_service_does_not_do_is_refused(
    qwen: Caller, model: str, action: str, content: dict[str, Any], status: int, code: str
) -> None:
    answer = await asked(qwen, model, action, **content)

    assert (answer.status, answer.json["code"]) == (status, code)


async def test_a_request_without_input_is_refused(qwen: Caller) -> None:
    assert (await qwen.post(CUSTOMIZE, {"model": CLONES})).json["code"] == "BadRequest.EmptyInput"


async def test_a_retired_maker_is_gone(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(retired=frozenset({DESIGNS}))) as standin:
        answer = await Caller(session, standin.base_url).design()

    assert (answer.status, answer.json["code"]) == (404, "ModelNotFound")


async def test_a_stand_in_that_was_stopped_still_speaks_with_its_voices(
    session: aiohttp.ClientSession, wav: bytes, tmp_path: Path
) -> None:
    options = QwenOptions(account=tmp_path / "account.jsonl")
    async with running_qwen(options) as standin:
        voice = await made(await Caller(session, standin.base_url).enrol(wav))
    async with running_qwen(options) as standin:
        answer = await Caller(session, standin.base_url).speak(model="qwen3-tts-vc-2026-01-22", voice=voice)

    assert answer.status == 200
    assert standin.account.meter()["total"] == {"voices": 1, "characters": 13}
