import json

from harness.emulators.fault_stream import ErrorFrames, Frame, outgoing

FRAMES = [
    Frame((f"id:{number}", "event:result", ":HTTP_STATUS/200", f'data:{{"output":{{"n":{number}}},"request_id":"r"}}'))
    for number in range(1, 5)
]
WHOLE = b"".join(frame.encoded() for frame in FRAMES)
ERRORS = ErrorFrames(event=Frame(("event:error", "status:429", "data:{}")), data=Frame(("data:{}",)))


def test_without_a_fault_the_frames_go_out_as_they_are() -> None:
    assert b"".join(outgoing(None, FRAMES, ERRORS).pieces) == WHOLE
    assert b"".join(outgoing("reset-after", FRAMES, ERRORS).pieces) == WHOLE


def test_crlf_is_at_every_end() -> None:
    data = b"".join(outgoing("stream-crlf", FRAMES, ERRORS).pieces)

    assert data == WHOLE.replace(b"\n", b"\r\n")


def test_data_over_several_lines_is_the_same_json() -> None:
    data = b"".join(outgoing("stream-multiline", FRAMES, ERRORS).pieces)

    lines = [line.removeprefix(b"data:") for line in data.split(b"\n\n")[0].split(b"\n") if line.startswith(b"data:")]
    assert len(lines) == 4
    assert json.loads(b"\n".join(lines)) == {"output": {"n": 1}, "request_id": "r"}


def test_only_the_last_blank_line_is_missing() -> None:
    assert b"".join(outgoing("stream-no-last-blank", FRAMES, ERRORS).pieces) == WHOLE[:-2]


def test_a_cut_stream_breaks_within_an_event() -> None:
    stream = outgoing("stream-cut", FRAMES, ERRORS)

    data = b"".join(stream.pieces)
    assert stream.breaks
    assert WHOLE.startswith(data)
    assert data.count(b"\n\n") == 2
    assert not data.endswith(b"\n\n")


def test_errors_come_after_half_of_the_stream_in_both_documented_forms() -> None:
    half = b"".join(frame.encoded() for frame in FRAMES[:2])

    bare = b"".join(outgoing("stream-error-data", FRAMES, ERRORS).pieces)
    event = b"".join(outgoing("stream-error-event", FRAMES, ERRORS).pieces)

    assert bare == half + b"data:{}\n\n"
    assert event == half + b"event:error\nstatus:429\ndata:{}\n\n"


def test_events_can_be_missing_doubled_or_out_of_order() -> None:
    first, second, third, last = (frame.encoded() for frame in FRAMES)

    assert outgoing("stream-no-end", FRAMES, ERRORS).pieces == [first, second, third]
    assert outgoing("stream-stutter", FRAMES, ERRORS).pieces == [first, first, second, third, last]
    assert outgoing("stream-swapped", FRAMES, ERRORS).pieces == [second, first, third, last]


def test_the_same_bytes_can_come_one_by_one() -> None:
    stream = outgoing("stream-bytewise", FRAMES, ERRORS)

    assert b"".join(stream.pieces) == WHOLE
    assert sum(len(piece) == 1 for piece in stream.pieces) > 200
