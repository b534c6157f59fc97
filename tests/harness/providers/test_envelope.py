import pytest

from harness.providers.envelope import read_envelope


def test_a_success_as_it_was_captured_is_read() -> None:
    envelope = read_envelope(
        b'{"output":{"audio":{"data":"","expires_at":1770650166,"id":"audio_r1","url":"http://h/x.wav?Signature=X"},'
        b'"finish_reason":"stop"},"usage":{"characters":195},"request_id":"r1"}'
    )

    assert envelope is not None
    assert envelope.code is None
    assert envelope.usage is not None
    assert envelope.usage.characters == 195
    assert envelope.output is not None
    assert envelope.output.audio is not None
    assert envelope.output.audio.url == "http://h/x.wav?Signature=X"


def test_the_form_that_sdks_print_is_read_too() -> None:
    envelope = read_envelope(
        b'{"status_code":200,"code":"","message":"","request_id":"r1","output":{"text":null,"choices":null,'
        b'"audio":{"url":"http://h/x.wav"}},"usage":{"input_tokens":0,"output_tokens":0,"characters":12}}'
    )

    assert envelope is not None
    assert not envelope.code


def test_keys_that_are_new_or_null_do_no_harm() -> None:
    assert read_envelope(b'{"output":null,"usage":null,"trace":{"id":1},"request_id":null}') is not None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="page"),
        pytest.param(b'{"output":', id="cut off"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"usage":{"characters":"195"}}', id="a number as text"),
        pytest.param(b'{"usage":{"characters":-1}}', id="a negative count"),
        pytest.param(b'{"usage":{"characters":NaN}}', id="no number"),
        pytest.param(b'{"usage":{"characters":99999999999999999999}}', id="more than a table holds"),
        pytest.param(b'{"usage":{"characters":1.5}}', id="half a character"),
        pytest.param(b'{"output":{"audio":"none"}}', id="text for an object"),
        pytest.param(b'{"message":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b"\xff\xfe{}", id="another encoding"),
        pytest.param(b'{"request_id":"' + b"r" * 513 + b'"}', id="endless id"),
        pytest.param(b'{"output":{"audio":{"url":"http://' + b"h" * 8_192 + b'"}}}', id="endless address"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"output":' * 100_000, id="deep objects"),
        pytest.param(b'{"usage":{"characters":' + b"9" * 5_000 + b"}}", id="huge number"),
    ],
)
def test_nonsense_is_none_and_never_an_exception(body: bytes) -> None:
    assert read_envelope(body) is None
