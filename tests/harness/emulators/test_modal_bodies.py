import base64
from typing import Any

import pytest

from harness.emulators.modal_bodies import Problem, decoded_reference, language_of, required, required_short
from harness.speech import LANGUAGES
from tests.harness.emulators.callers import Caller


@pytest.mark.parametrize("path", ["/clone", "/design", "/generate", "/submit-job"])
async def test_a_body_that_is_no_json_is_fastapis_422(modal: Caller, path: str) -> None:
    answer = await modal.post(path, data=b'{"text": }')

    assert (answer.status, answer.body) == (
        422,
        b'{"detail":[{"type":"json_invalid","loc":["body",9],"msg":"JSON decode error","input":{},'
        b'"ctx":{"error":"Expecting value"}}]}',
    )


@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        pytest.param([], ["body"], "model_type", id="a list"),
        pytest.param({"text": 5}, ["body", "text"], "string_type", id="a number for a text"),
        pytest.param({"text": "x", "max_new_tokens": "many"}, ["body", "max_new_tokens"], "int_parsing", id="words"),
    ],
)
async def test_a_field_of_the_wrong_type_is_fastapis_422(modal: Caller, body: Any, loc: list[str], kind: str) -> None:
    answer = await modal.post("/clone", body)

    (problem,) = answer.json["detail"]
    assert (answer.status, problem["loc"], problem["type"]) == (422, loc, kind)
    assert set(problem) == {"type", "loc", "msg", "input"}


async def test_a_body_that_is_no_text_is_400(modal: Caller) -> None:
    answer = await modal.post("/clone", data=b"\xff\xfe\x00")

    assert (answer.status, answer.json) == (400, {"detail": "There was an error parsing the body"})


async def test_an_unknown_path_is_fastapis_404(modal: Caller) -> None:
    assert (await modal.post("/sing", {})).body == b'{"detail":"Not Found"}'


async def test_another_method_is_fastapis_405(modal: Caller) -> None:
    answer = await modal.get("/submit-job")

    assert (answer.status, answer.body, answer.headers["Allow"]) == (405, b'{"detail":"Method Not Allowed"}', "POST")


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_field_that_is_needed_is_named(value: str | None) -> None:
    with pytest.raises(Problem, match="'ref_text' is required"):
        required(value, "ref_text")


def test_a_description_is_at_most_500_characters() -> None:
    assert required_short("x" * 500, "instruct")
    with pytest.raises(Problem, match="'instruct' must be at most 500 characters"):
        required_short("x" * 501, "instruct")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_known_in_any_case(language: str) -> None:
    assert language_of(LANGUAGES[language].upper()) == language


@pytest.mark.parametrize("name", [None, "Auto", "AUTO"])
def test_auto_leaves_the_language_open(name: str | None) -> None:
    assert language_of(name) is None


def test_another_language_is_refused_with_those_it_speaks() -> None:
    with pytest.raises(Problem, match=r"^Unsupported language: Klingon\. Supported: Auto, Chinese, English, German"):
        language_of("Klingon")


@pytest.mark.parametrize("head", ["", "data:audio/wav;base64,"])
def test_a_reference_may_have_the_head_of_a_data_url(head: str) -> None:
    assert decoded_reference(head + base64.b64encode(b"RIFF").decode()) == b"RIFF"


def test_what_is_no_base64_fails_the_generation() -> None:
    with pytest.raises(Problem, match="^Generation failed: ") as problem:
        decoded_reference("%%%")

    assert problem.value.status == 500
