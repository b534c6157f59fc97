import pytest

from replay.importers import dashscope_calls, modal_calls, openai_calls
from replay.importers.http_message import RequestLine
from replay.importers.speech_calls import dialect_of, is_speech


@pytest.mark.parametrize(
    ("host", "path", "reader"),
    [
        (
            "dashscope-intl.aliyuncs.com",
            "/api/v1/services/aigc/multimodal-generation/generation",
            dashscope_calls.synthesis,
        ),
        ("x", "/api/v1/services/audio/tts/customization", dashscope_calls.customization),
        ("x", "/v1/audio/speech", openai_calls.speech),
        ("x", "/proxy/v1/audio/speech/", openai_calls.speech),
        ("x", "/v1/audio/voices", openai_calls.clone_voice),
        ("x", "/v1/voices/clone", openai_calls.clone_voice),
        ("x", "/v1/voices/design", openai_calls.design_voice),
        ("x", "/clone", modal_calls.clone),
        ("x", "/submit-job", modal_calls.clone),
        ("x", "/design", modal_calls.design),
        ("x", "/generate", modal_calls.generate),
        ("acme--tts-clone.modal.run", "/", modal_calls.clone),
        ("acme--qwen3-tts-service-submit-job-dev.modal.run", "", modal_calls.clone),
        ("acme--design.modal.run", "/", modal_calls.design),
    ],
)
def test_speech_is_known_by_its_path_or_by_the_host_that_stands_for_one(host: str, path: str, reader: object) -> None:
    assert dialect_of(RequestLine("POST", host, path)) is reader


@pytest.mark.parametrize(
    ("method", "host", "path"),
    [
        ("GET", "x", "/v1/audio/speech"),
        ("DELETE", "x", "/v1/audio/voices"),
        ("POST", "x", "/v1/chat/completions"),
        ("POST", "x", "/job-status"),
        ("POST", "x", "/"),
        ("POST", "acme--tts-clone.modal.run.evil.example", "/"),
        ("POST", "acme--tts-health.modal.run", "/"),
    ],
)
def test_nothing_else_is_speech(method: str, host: str, path: str) -> None:
    assert not is_speech(RequestLine(method, host, path))
