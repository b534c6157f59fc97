from pathlib import Path

import pytest

from replay.importers.endpoints import Endpoints
from replay.importers.http_message import RequestLine
from replay.importers.mapping import load_mapping
from replay.importers.records import Skipped, SpeechCall, Unusable
from tests.traffic import an_exchange

MAPPING = """
[[endpoint]]
path = "/v1/tts"
provider = "legacy"
fields = { text = "text", voice.id = "voice", language = "lang" }
"""


@pytest.fixture
def endpoints(tmp_path: Path) -> Endpoints:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING)
    return Endpoints(load_mapping(path))


def test_an_endpoint_of_a_mapping_file_is_speech_like_those_known_here(endpoints: Endpoints) -> None:
    assert endpoints.is_speech(RequestLine("POST", "x", "/v1/tts"))
    assert endpoints.is_speech(RequestLine("POST", "x", "/generate"))
    assert not endpoints.is_speech(RequestLine("GET", "x", "/v1/tts"))
    assert not Endpoints().is_speech(RequestLine("POST", "x", "/v1/tts"))


def test_its_bodies_are_read_by_the_mapping(endpoints: Endpoints) -> None:
    call = endpoints.call(an_exchange({"text": "hello", "voice": "anna", "lang": "en"}, path="/v1/tts"))

    assert isinstance(call, SpeechCall)
    assert (call.text, call.voice_id, call.language) == ("hello", "anna", "en")


def test_what_is_left_out_comes_back_as_a_value() -> None:
    assert isinstance(Endpoints().call(an_exchange(path="/health")), Skipped)
    assert isinstance(Endpoints().call(an_exchange(b"{}", path="/v1/audio/speech")), Unusable)
