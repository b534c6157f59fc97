import re

import pytest

from harness.emulators.qwen_wire import Refusal, text_at
from tests.harness.emulators.callers import CUSTOMIZE, KEY, SPEAK, Caller

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


async def test_a_refusal_is_three_keys_and_the_id_is_in_a_header_too(qwen: Caller) -> None:
    answer = await qwen.speak(model="qwen9-tts")

    expected = rf'\{{"code":"ModelNotFound","message":"Model can not be found\.","request_id":"({UUID})"\}}'
    match = re.fullmatch(expected, answer.body.decode())
    assert answer.status == 404
    assert match is not None
    assert answer.headers["x-request-id"] == match[1]
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [SPEAK, CUSTOMIZE])
@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "BadRequest.IllegalInput", id="nothing"),
        pytest.param(b"{", "BadRequest.IllegalInput", id="cut off"),
        pytest.param(b"[" * 100_000, "BadRequest.IllegalInput", id="too deep"),
        pytest.param(b"\xff\xfe", "BadRequest.IllegalInput", id="no UTF-8"),
        pytest.param(b"[]", "BadRequest.IllegalInput", id="a list"),
        pytest.param(b"{}", "BadRequest.EmptyModel", id="no model"),
        pytest.param(b'{"model": ["x"], "input": {"text": "x"}}', "ModelNotFound", id="a model that is a list"),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused_by_name(qwen: Caller, path: str, data: bytes, code: str) -> None:
    assert (await qwen.post(path, data=data)).json["code"] == code


async def test_an_unknown_path_is_refused_in_the_envelope(qwen: Caller) -> None:
    answer = await qwen.get("/api/v1/nothing")

    assert (answer.status, answer.json["code"]) == (404, "NotFound")


async def test_a_get_where_a_post_belongs_is_refused_in_the_envelope(qwen: Caller) -> None:
    assert (await qwen.get(SPEAK)).status == 405


async def test_a_body_beyond_all_bounds_is_refused(qwen: Caller) -> None:
    answer = await qwen.post(SPEAK, data=b" " * (17 << 20), headers=KEY)

    assert (answer.status, answer.json["code"]) == (413, "RequestTooLarge")


@pytest.mark.parametrize("value", [None, "", "  ", 5, ["a"]])
def test_a_text_that_is_needed_must_be_one(value: object) -> None:
    with pytest.raises(Refusal, match=r"Required parameter\(voice\) missing or invalid"):
        text_at({"voice": value}, "voice", required=True)


def test_a_text_that_is_not_needed_may_be_absent() -> None:
    assert text_at({}, "language") is None
