import pytest

from harness.providers.sse import Event, EventParser

# The bytes of a capture, as far as frames go (providers.md A3).
RESULT = b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"finish_reason":"null"}}\n\n'
LAST = b'id:2\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"finish_reason":"stop"}}\n\n'
RESULT_EVENT = Event(name="result", data='{"output":{"finish_reason":"null"}}', id="1", status=200)
LAST_EVENT = Event(name="result", data='{"output":{"finish_reason":"stop"}}', id="2", status=200)


def parsed(stream: bytes, *, piece_bytes: int | None = None) -> list[Event]:
    parser = EventParser()
    step = piece_bytes or max(1, len(stream))
    events = [event for at in range(0, len(stream), step) for event in parser.feed(stream[at : at + step])]
    return events + parser.finish()


@pytest.mark.parametrize("piece_bytes", [None, 1, 2, 7])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_frames_are_read_whatever_ends_their_lines_and_wherever_they_are_cut(
    end: bytes, piece_bytes: int | None
) -> None:
    stream = (RESULT + LAST).replace(b"\n", end)

    assert parsed(stream, piece_bytes=piece_bytes) == [RESULT_EVENT, LAST_EVENT]


def test_an_event_is_there_as_soon_as_its_blank_line_is() -> None:
    parser = EventParser()

    assert parser.feed(RESULT) == [RESULT_EVENT]
    assert parser.feed(LAST[:-1]) == []
    assert parser.feed(LAST[-1:]) == [LAST_EVENT]
    assert parser.finish() == []


def test_a_carriage_return_at_the_end_of_a_piece_and_its_line_feed_are_one_line_end() -> None:
    parser = EventParser()

    events = parser.feed(b"data:a\r") + parser.feed(b"\ndata:b\r") + parser.feed(b"\n\r") + parser.feed(b"\n")

    assert events == [Event(name="message", data="a\nb", status=None)]


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        pytest.param(b'data:{"a":\ndata:1}\n\n', Event(name="message", data='{"a":\n1}', status=None), id="two lines"),
        pytest.param(b"data: x\n\n", Event(name="message", data="x", status=None), id="a blank after the colon"),
        pytest.param(b"data:  x\n\n", Event(name="message", data=" x", status=None), id="only the first blank goes"),
        pytest.param(b"data\n\n", Event(name="message", data="", status=None), id="a field without a colon"),
        pytest.param(b"data:x", Event(name="message", data="x", status=None), id="no end of line at all"),
        pytest.param(b"data:x\n", Event(name="message", data="x", status=None), id="no blank line at the end"),
        pytest.param(b"\xef\xbb\xbfdata:x\n\n", Event(name="message", data="x", status=None), id="byte order mark"),
        pytest.param(b": ping\n\ndata:x\n\n", Event(name="message", data="x", status=None), id="a comment alone"),
        pytest.param(b"retry:3\nfoo:1\ndata:x\n\n", Event(name="message", data="x", status=None), id="other fields"),
        pytest.param(
            b'event:error\nstatus:429\ndata:{"code":"Throttling"}\n\n',
            Event(name="error", data='{"code":"Throttling"}', status=429),
            id="an error with its status as a field",
        ),
        pytest.param(
            b"event:error\n:HTTP_STATUS/500\ndata:{}\n\n",
            Event(name="error", data="{}", status=500),
            id="an error with its status as a comment",
        ),
        pytest.param(b"status:999\ndata:x\n\n", Event(name="message", data="x", status=None), id="no such status"),
        pytest.param(b"data:\xff\n\n", Event(name="message", data="\ufffd", status=None), id="not UTF-8"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [None, 1])
def test_a_frame_may_take_liberties(stream: bytes, event: Event, piece_bytes: int | None) -> None:
    assert parsed(stream, piece_bytes=piece_bytes) == [event]


@pytest.mark.parametrize("stream", [b"", b"\n\n\n", b"event:result\n\n", b":HTTP_STATUS/200\n\n"])
def test_what_has_no_data_is_no_event(stream: bytes) -> None:
    assert parsed(stream) == []


def test_name_id_and_status_belong_to_one_event_only() -> None:
    events = parsed(b"event:error\nid:7\nstatus:429\ndata:a\n\ndata:b\n\n")

    assert events[1] == Event(name="message", data="b", status=None)


def test_a_long_line_in_many_pieces_is_searched_once() -> None:
    parser = EventParser()
    for _ in range(2_000):
        assert parser.feed(b"x" * 1_000) == []

    assert parser._searched == 2_000_000  # not begun anew with every piece
    assert parser.feed(b"\n\ndata:y\n\n") == [Event(name="message", data="y", status=None)]
