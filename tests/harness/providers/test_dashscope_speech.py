import base64

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.dashscope_speech import Spoken, decoded, spoken_from, streamed_from
from harness.providers.dashscope_stream import SpeechStream
from harness.providers.envelope import Envelope, read_envelope
from harness.providers.reply import Reply
from tests.harness.providers.test_dashscope_stream import LAST, PIECE

REPLY = Reply(status=200, headers={}, body=b"", started_s=0.0, connect_s=None, first_byte_s=0.1, total_s=1.0)


def an_envelope(text: str) -> Envelope:
    envelope = read_envelope(text.encode())
    assert envelope is not None
    return envelope


def test_a_file_is_delivered_by_its_address() -> None:
    audio = '{"data":"","expires_at":1770650166,"id":"audio_r1","url":"http://oss/x.wav?Signature=X"}'
    text = f'{{"output":{{"audio":{audio},"finish_reason":"stop"}},"usage":{{"characters":195}},"request_id":"r1"}}'

    spoken = spoken_from(REPLY, an_envelope(text))

    assert isinstance(spoken, Spoken)
    assert (spoken.url, spoken.audio, spoken.reported_chars) == ("http://oss/x.wav?Signature=X", None, 195)
    assert spoken.facts == {"audio_id": "audio_r1", "finish_reason": "stop", "expires_at": 1770650166}
    assert spoken.stream is None


def test_audio_in_the_reply_itself_counts_too() -> None:
    spoken = spoken_from(REPLY, an_envelope('{"output":{"audio":{"data":"AQID"}}}'))

    assert isinstance(spoken, Spoken)
    assert (spoken.url, spoken.audio) == (None, b"\x01\x02\x03")


@pytest.mark.parametrize("text", ["{}", '{"output":{}}', '{"output":{"audio":{"data":"","url":""}}}'])
def test_a_reply_that_names_no_audio_makes_no_sense(text: str) -> None:
    spoken = spoken_from(REPLY, an_envelope(text))

    assert isinstance(spoken, Failure)
    assert spoken.kind is ErrorKind.BAD_RESPONSE


def test_audio_of_another_request_is_pointed_out() -> None:
    spoken = spoken_from(REPLY, an_envelope('{"output":{"audio":{"url":"u","id":"audio_r2"}},"request_id":"r1"}'))

    assert isinstance(spoken, Spoken)
    assert spoken.facts["audio_id_differs"] is True


def a_stream(*pieces: bytes) -> SpeechStream:
    stream = SpeechStream(FakeClock(), private=())
    for piece in pieces:
        stream.feed(piece)
    stream.close()
    return stream


def test_a_stream_delivers_the_samples_that_were_heard_and_not_the_file_at_its_end() -> None:
    spoken = streamed_from(REPLY, a_stream(PIECE, LAST))

    assert spoken.url is None
    assert spoken.audio is not None
    assert spoken.audio[-4:] == b"\x01\x00\x02\x00"
    assert spoken.stream is not None


def test_a_stream_of_nothing_but_an_address_delivers_that() -> None:
    spoken = streamed_from(REPLY, a_stream(LAST))

    assert (spoken.audio, spoken.stream) == (None, None)
    assert spoken.url is not None
    assert spoken.url.startswith("http://dashscope-result-bj.")


@pytest.mark.parametrize(
    ("encoded", "data"), [(base64.b64encode(b"x").decode(), b"x"), ("", None), (None, None), ("!", None)]
)
def test_base64_is_decoded_or_none(encoded: str | None, data: bytes | None) -> None:
    assert decoded(encoded) == data
