import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from harness.gateway.bodies import CloneBody, SpeechBody, problem_with


def problem(**fields: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        SpeechBody.model_validate_json(json.dumps({"input": "Hi.", "voice": "Vivian", **fields}))
    refused = problem_with(caught.value)
    return refused.code, refused.message


def test_a_voice_may_be_written_as_openai_writes_a_custom_one() -> None:
    body = SpeechBody.model_validate_json('{"input": "Hi.", "voice": {"id": "voice-1"}}')

    assert (body.voice_id, body.streams) == ("voice-1", False)


@pytest.mark.parametrize("field", [{"stream": True}, {"stream_format": "audio"}, {"stream_format": "sse"}])
def test_either_way_of_asking_for_a_stream_is_understood(field: dict[str, Any]) -> None:
    assert SpeechBody.model_validate({"input": "Hi.", "voice": "Vivian", **field}).streams


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"langauge": "en"}, "unknown_parameter"),
        ({"language": "xx"}, "invalid_parameter"),
        ({"input": "a\x00b"}, "invalid_parameter"),
        ({"input": 5}, "invalid_parameter"),
        ({"voice": ""}, "invalid_parameter"),
        ({"speed": 2}, "invalid_parameter"),
    ],
)
def test_what_is_wrong_has_a_code(fields: dict[str, Any], code: str) -> None:
    assert problem(**fields)[0] == code


def test_no_message_repeats_what_the_caller_wrote() -> None:
    assert "secret words" not in problem(language="secret words")[1]


def test_a_recording_is_decoded_from_base64() -> None:
    assert CloneBody.model_validate_json('{"audio": "aGVsbG8=", "transcript": "hello"}').audio == b"hello"


@pytest.mark.parametrize("moment", [1_800_000_000, "1800000000", "2027-01-31", True, "soon"])
def test_a_consent_ends_at_a_written_moment_with_its_offset(moment: object) -> None:
    body = {"audio": "aGVsbG8=", "transcript": "hello", "consent": {"expires_at": moment}}

    with pytest.raises(ValidationError):
        CloneBody.model_validate_json(json.dumps(body))


def test_a_consent_may_end() -> None:
    body = {"audio": "aGVsbG8=", "transcript": "hello", "consent": {"expires_at": "2027-01-31T12:00:00+01:00"}}

    ends = CloneBody.model_validate_json(json.dumps(body)).consent.expires_at

    assert ends == datetime(2027, 1, 31, 11, tzinfo=UTC)
