from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from analysis.models.endpoint import Endpoint, Sound, engine_version
from harness.clock import FakeClock
from harness.config import ModelSettings
from harness.errors import ConfigError, HarnessError
from harness.store.blobs import BlobStore
from tests.harness.providers.stubs import CANARY, Script, a_server, drops, says, sends


def settings_for(server: Script, **changes: Any) -> ModelSettings:
    return ModelSettings(endpoint_url=f"{server.url}/v1", endpoint_model="large", endpoint_concurrency=1, **changes)


async def ask(server: Script, sounds: list[Sound], **changes: Any) -> list[dict[str, Any]]:
    endpoint = Endpoint(settings_for(server, **changes), allow_hosts=frozenset({server.authority}), clock=FakeClock())
    told: list[dict[str, Any]] = []
    await endpoint.transcribe(sounds, lambda sound, value: told.append(value))
    return told


def sounds_in(folder: Path, *data: bytes, language: str | None = "en") -> list[Sound]:
    store = BlobStore(folder)
    return [(str(folder), store.put(each, "wav"), "wav", language) for each in data]


async def test_the_stored_bytes_go_out_as_a_form_with_the_key_and_words_come_back(tmp_path: Path) -> None:
    async with a_server(says({"text": " Good morning. "})) as server:
        told = await ask(server, sounds_in(tmp_path, b"RIFF\r\n--speech"), endpoint_key=SecretStr(CANARY))

    assert told == [{"outcome": "ok", "text": "Good morning.", "language": "en"}]
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/v1/audio/transcriptions")
    assert seen.headers["authorization"] == f"Bearer {CANARY}"
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    parts: Any = BytesParser().parsebytes(head + seen.body).get_payload()
    fields = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}
    assert fields == {
        "model": b"large",
        "response_format": b"json",
        "temperature": b"0",
        "language": b"en",
        "file": b"RIFF\r\n--speech",
    }
    assert parts[-1].get_filename() == "speech.wav"


async def test_without_a_language_none_is_sent(tmp_path: Path) -> None:
    async with a_server(says({"text": ""})) as server:
        told = await ask(server, sounds_in(tmp_path, b"x", language=None))

    assert told == [{"outcome": "ok", "text": "", "language": None}]
    assert b'name="language"' not in server.seen[0].body


@pytest.mark.parametrize("answer", [says({}, status=503), says({}, status=429), drops()])
async def test_what_can_pass_is_tried_again(tmp_path: Path, answer: Any) -> None:
    async with a_server(answer, says({"text": "words"})) as server:
        told = await ask(server, sounds_in(tmp_path, b"x"))

    assert [value.get("text") for value in told] == ["words"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(says({"error": "too long"}, status=400), "status 400", id="refused"),
        pytest.param(sends(b"<html>", content_type="text/html"), "status 200", id="a page instead of words"),
        pytest.param(says({"text": 7}), "status 200", id="words that are none"),
        pytest.param(says({}, status=500), "status 500", id="broken for good"),
    ],
)
async def test_a_sound_without_words_is_left_for_another_time(tmp_path: Path, answer: Any, why: str) -> None:
    async with a_server(answer) as server:
        told = await ask(server, sounds_in(tmp_path, b"x"))

    assert told == [{"failed": why}]


async def test_a_sound_that_is_lost_costs_no_request(tmp_path: Path) -> None:
    async with a_server(says({"text": "words"})) as server:
        told = await ask(server, [(str(tmp_path), "a" * 64, "wav", "en")])

    assert told[0].keys() == {"lost"}
    assert server.seen == []


async def test_a_key_that_is_refused_stops_at_once_and_is_not_told(tmp_path: Path) -> None:
    async with a_server(says({}, status=401)) as server:
        with pytest.raises(ConfigError, match=r"CUTOVER_MODELS__ENDPOINT_KEY: 127\.0\.0\.1 refuses it") as caught:
            await ask(server, sounds_in(tmp_path, b"x", b"y"), endpoint_key=SecretStr(CANARY))

    assert len(server.seen) == 1
    assert CANARY not in str(caught.value)


async def test_a_server_that_is_down_is_not_asked_ten_thousand_times(tmp_path: Path) -> None:
    async with a_server(says({}, status=400)) as server:
        with pytest.raises(HarnessError, match="5 sounds in a row were not transcribed"):
            await ask(server, sounds_in(tmp_path, *(bytes([number]) for number in range(50))))

    assert len(server.seen) == 5


def test_a_version_tells_server_and_model_apart() -> None:
    one = ModelSettings(endpoint_url="https://a.example/v1", endpoint_model="m")

    assert engine_version(one) == "m at a.example:443"
    assert engine_version(one) != engine_version(one.model_copy(update={"endpoint_model": "n"}))


def test_without_an_address_a_sentence_names_the_setting() -> None:
    with pytest.raises(ConfigError, match="CUTOVER_MODELS__ENDPOINT_URL: not set"):
        engine_version(ModelSettings())
