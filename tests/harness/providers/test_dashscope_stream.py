import base64
import json
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.dashscope_stream import SpeechStream

# Byte for byte as captured, but for the audio, which is two samples (providers.md A3).
PIECE = (
    b"id:1\nevent:result\n:HTTP_STATUS/200\n"
    b'data:{"output":{"finish_reason":"null","audio":{"data":"AQACAA==","expires_at":1753403234,"id":"audio_r1"}},'
    b'"usage":{"characters":8},"request_id":"r1"}\n\n'
)
NEXT = PIECE.replace(b"id:1", b"id:2")
LAST = (
    b"id:3\nevent:result\n:HTTP_STATUS/200\n"
    b'data:{"output":{"finish_reason":"stop","audio":{"expires_at":1753489635,"id":"audio_r1","data":"",'
    b'"url":"http://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/x.wav?Expires=1"}},'
    b'"usage":{"characters":21},"request_id":"r1"}\n\n'
)
ERROR = (
    b"id:3\nevent:error\n:HTTP_STATUS/429\n"
    b'data:{"code":"Throttling.RateQuota","message":"Requests rate limit exceeded.","request_id":"r1"}\n\n'
)
BARE_ERROR = (
    b'data:{"code":"DataInspectionFailed","message":"Output data may contain inappropriate content.",'
    b'"request_id":"r1"}\n\n'
)


def a_stream(*pieces: bytes, clock: FakeClock | None = None) -> SpeechStream:
    stream = SpeechStream(clock or FakeClock(), private=("my secret words",))
    for piece in pieces:
        stream.feed(piece)
    stream.close()
    return stream


def an_event(envelope: dict[str, Any], name: str = "result") -> bytes:
    return f"event:{name}\ndata:{json.dumps(envelope)}\n\n".encode()


def problem_of(*pieces: bytes) -> Failure:
    problem = a_stream(*pieces).problem
    assert problem is not None
    return problem


def test_a_whole_stream_is_its_samples_its_bill_and_its_end() -> None:
    stream = a_stream(PIECE, NEXT, LAST)

    assert stream.problem is None
    assert bytes(stream.pcm.data) == b"\x01\x00\x02\x00" * 2
    assert (stream.reported_chars, stream.request_id, stream.events) == (21, "r1", 3)
    assert stream.url == "http://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/x.wav?Expires=1"
    assert stream.facts() == {
        "audio_id": "audio_r1",
        "finish_reason": "stop",
        "expires_at": 1753489635,
        "delivery": "stream",
        "stream_pieces": 2,
        "stream_paused_s": 0.0,
    }


async def test_each_piece_keeps_the_moment_it_arrived() -> None:
    clock = FakeClock()
    stream = SpeechStream(clock, private=())
    began_s = clock.monotonic()
    for piece in (PIECE, NEXT, LAST):
        await clock.sleep(0.5)
        stream.feed(piece)

    assert [at_s - began_s for at_s, _ in stream.pcm.arrivals] == [0.5, 1.0]


def test_a_last_event_without_its_blank_line_still_counts() -> None:
    assert a_stream(PIECE, LAST[:-1]).problem is None
    assert a_stream(PIECE, LAST[:-2]).problem is None


def test_usage_on_the_last_event_only_is_enough_and_its_absence_there_keeps_the_one_before() -> None:
    silent_end = an_event({"output": {"finish_reason": "stop"}, "usage": None, "request_id": "r1"})

    assert a_stream(PIECE, silent_end).reported_chars == 8


@pytest.mark.parametrize(
    "pieces", [(PIECE,), (PIECE, LAST[:60]), (PIECE, LAST[:-40])], ids=["no end", "cut early", "cut late"]
)
def test_a_stream_that_ends_early_is_cut_off_audio(pieces: tuple[bytes, ...]) -> None:
    problem = problem_of(*pieces)

    assert problem.kind is ErrorKind.TRUNCATED_AUDIO
    assert "after 4 bytes of audio in 1 events" in problem.detail


def test_half_a_sample_at_the_end_is_cut_off_audio() -> None:
    odd = an_event({"output": {"finish_reason": "null", "audio": {"data": base64.b64encode(b"abc").decode()}}})

    assert problem_of(odd, LAST).kind is ErrorKind.TRUNCATED_AUDIO


@pytest.mark.parametrize(
    ("pieces", "kind", "code"),
    [
        pytest.param((PIECE, ERROR), ErrorKind.RATE_LIMITED, "Throttling.RateQuota", id="event:error with its status"),
        pytest.param((BARE_ERROR,), ErrorKind.CONTENT_BLOCKED, "DataInspectionFailed", id="a bare object with a code"),
        pytest.param((ERROR.replace(b":HTTP_STATUS/", b"status:"),), ErrorKind.RATE_LIMITED, None, id="status field"),
        pytest.param((b"event:error\nstatus:503\ndata:upstream gone\n\n",), ErrorKind.OVERLOADED, None, id="no JSON"),
        pytest.param((b"event:error\nstatus:503\ndata:{}\n",), ErrorKind.OVERLOADED, None, id="cut after its data"),
        pytest.param((ERROR, LAST), ErrorKind.RATE_LIMITED, None, id="what follows an error does not heal it"),
        pytest.param((PIECE, b"data:{oops}\n\n", LAST), ErrorKind.BAD_RESPONSE, None, id="nonsense in the middle"),
        pytest.param((b"data:[DONE]\n\n",), ErrorKind.BAD_RESPONSE, None, id="another protocol's end"),
        pytest.param((), ErrorKind.BAD_RESPONSE, None, id="no event at all"),
        pytest.param(
            (an_event({"output": {"audio": {"data": "AQA*"}}}), LAST), ErrorKind.BAD_RESPONSE, None, id="not base64"
        ),
    ],
)
def test_an_error_inside_the_stream_is_told_by_its_code(
    pieces: tuple[bytes, ...], kind: ErrorKind, code: str | None
) -> None:
    problem = problem_of(*pieces)

    assert problem.kind is kind
    assert code is None or problem.code == code


def test_an_error_does_not_repeat_the_callers_words() -> None:
    problem = problem_of(an_event({"code": "InvalidParameter", "message": "bad text: my secret words"}, "error"))

    assert "secret" not in problem.detail


def test_what_follows_the_end_is_not_ours() -> None:
    stream = a_stream(PIECE, LAST, PIECE, ERROR)

    assert (stream.problem, len(stream.pcm.data), stream.events) == (None, 4, 2)


RESET = Failure(kind=ErrorKind.CONN_RESET, code=None, detail="the reply ended before it was complete")
STALL = Failure(kind=ErrorKind.TIMEOUT_READ, code=None, detail="the reply stalled")


@pytest.mark.parametrize(
    ("pieces", "fault", "kind"),
    [
        pytest.param((PIECE,), RESET, ErrorKind.TRUNCATED_AUDIO, id="audio had begun"),
        pytest.param((), RESET, ErrorKind.CONN_RESET, id="nothing was heard"),
        pytest.param((PIECE,), STALL, ErrorKind.TIMEOUT_READ, id="a stall stays one"),
        pytest.param((PIECE, ERROR), RESET, ErrorKind.RATE_LIMITED, id="the stream's own error says more"),
        pytest.param((PIECE, LAST), RESET, ErrorKind.CONN_RESET, id="broken after its end"),
    ],
)
def test_a_broken_connection_means_what_the_stream_had_come_to(
    pieces: tuple[bytes, ...], fault: Failure, kind: ErrorKind
) -> None:
    assert a_stream(*pieces).failure_after(fault).kind is kind


def test_it_was_heard_from_its_first_sample_on() -> None:
    assert not a_stream(ERROR).heard
    assert a_stream(PIECE).heard


def test_an_event_that_comes_twice_is_heard_once_and_noted() -> None:
    stream = a_stream(PIECE, PIECE, LAST)

    assert (stream.problem, len(stream.pcm.data), stream.facts()["repeated_events"]) == (None, 4, 1)


def test_two_pieces_of_one_number_are_both_heard_when_they_differ() -> None:
    stream = a_stream(PIECE, PIECE.replace(b"AQACAA==", b"AwAEAA=="), LAST)

    assert (stream.problem, len(stream.pcm.data)) == (None, 8)


def test_a_piece_that_comes_after_its_successor_ruins_the_speech() -> None:
    problem = problem_of(PIECE.replace(b"id:1", b"id:2"), PIECE, LAST)

    assert (problem.kind, problem.detail) == (ErrorKind.TRUNCATED_AUDIO, "event 1 came after event 2")


@pytest.mark.parametrize("name", [b"", b"id\n", b"id:\n", b"id:abc\n", b"id:99999999999999999999\n"])
def test_events_without_a_number_are_taken_as_they_come(name: bytes) -> None:
    first = PIECE.replace(b"id:1\n", name)

    assert a_stream(first, first.replace(b"AQACAA==", b"AwAEAA=="), LAST).problem is None
