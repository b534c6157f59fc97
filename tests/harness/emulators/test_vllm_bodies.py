import base64

import pytest

from harness.emulators.modal_bodies import Problem
from harness.emulators.vllm_bodies import SpeechBody, inline_audio


@pytest.mark.parametrize(
    "body", [{"voice": "Vivian"}, {"speaker": "Vivian"}, {"voice": {"id": "Vivian"}}], ids=["voice", "speaker", "id"]
)
def test_a_voice_may_be_given_in_three_ways(body: dict[str, object]) -> None:
    assert SpeechBody.model_validate({"input": "Hi.", **body}).voice_name == "Vivian"


@pytest.mark.parametrize(
    ("body", "streamed"),
    [
        ({}, False),
        ({"stream": True}, True),
        ({"stream_format": "sse"}, True),
        ({"stream_format": "audio"}, False),
        ({"stream": True, "stream_format": "audio"}, True),
    ],
)
def test_two_words_ask_for_a_stream(body: dict[str, object], streamed: bool) -> None:
    assert SpeechBody.model_validate({"input": "Hi.", **body}).is_streamed is streamed


def test_what_is_not_asked_for_is_as_documented() -> None:
    body = SpeechBody.model_validate({"input": "Hi."})

    assert (body.response_format, body.speed, body.max_new_tokens, body.task_type) == ("wav", 1.0, 2_048, None)


def test_a_reference_comes_in_a_data_url() -> None:
    data = base64.b64encode(b"RIFF").decode()

    assert inline_audio(f"data:audio/wav;base64,{data}") == data


@pytest.mark.parametrize("reference", ["http://host/a.wav", "file:///etc/passwd", "data:audio/wav,RIFF", "UklGRg=="])
def test_no_address_is_fetched(reference: str) -> None:
    with pytest.raises(Problem, match="only data URLs"):
        inline_audio(reference)


def test_broken_base64_is_refused() -> None:
    with pytest.raises(Problem, match="invalid base64"):
        inline_audio("data:audio/wav;base64,%%%")
