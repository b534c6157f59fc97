import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.importers.gor_records import SEPARATOR, GorRecord, GorRecords
from replay.importers.records import ForeignFormat, LeftOut, Place
from tests.traffic import NOON_NS, gor, http_reply, http_request

REQUEST = http_request({"text": "Hello"})


class Endless:
    """A source that makes up its bytes as it is read."""

    def __init__(self, *parts: tuple[bytes, int]) -> None:
        self._parts = list(parts)

    def read(self, size: int, /) -> bytes:
        while self._parts:
            piece, times = self._parts.pop(0)
            if len(piece) * times <= size:
                return piece * times
            fit = max(1, size // len(piece))
            self._parts.insert(0, (piece, times - fit))
            return piece * fit
        return b""


def read(data: bytes, max_record_bytes: int = 10**6) -> list[GorRecord | LeftOut]:
    return [found for _, found in GorRecords("a.gor", io.BytesIO(data), max_record_bytes=max_record_bytes)]


def reasons(data: bytes) -> list[str]:
    return [found.reason if isinstance(found, LeftOut) else "good" for found in read(data)]


def message(record: GorRecord | LeftOut) -> bytes:
    assert isinstance(record, GorRecord)
    return record.data[record.message_at :]


def test_a_record_gives_its_metadata_and_the_message_as_it_was_on_the_wire() -> None:
    (record,) = read(gor(REQUEST, identity="abc", latency_ns=7))

    assert isinstance(record, GorRecord)
    assert record[:5] == (Place("a.gor", 1), "1", "abc", NOON_NS, 7)
    assert message(record) == REQUEST


def test_older_files_leave_the_latency_out() -> None:
    (record,) = read(gor(REQUEST, latency_ns=None))

    assert isinstance(record, GorRecord)
    assert record.latency_ns is None


def test_the_last_record_needs_no_separator() -> None:
    found = read((gor(REQUEST) + gor(REQUEST))[: -len(SEPARATOR)])

    assert [message(record) for record in found] == [REQUEST, REQUEST]


def test_a_body_that_ends_in_a_line_break_keeps_it() -> None:
    (record,) = read(gor(http_request(b"Hello\n")))

    assert message(record).endswith(b"Hello\n")


def test_a_text_that_ends_in_the_beginning_of_a_separator_ends_where_its_length_says() -> None:
    body = b"Hello" + SEPARATOR[:-1]

    found = read(gor(http_request(body)) + gor(REQUEST))

    assert [message(record) for record in found] == [http_request(body), REQUEST]


@pytest.mark.parametrize("missing_bytes", [1, 20, 70_000, 10**7, 10**15])
def test_a_record_cut_shorter_than_it_tells_takes_nothing_from_those_behind_it(missing_bytes: int) -> None:
    cut = http_request(b"Hello", length=5 + missing_bytes)

    found = read(gor(cut) + gor(REQUEST) + gor(cut) + gor(REQUEST))

    assert [message(record) for record in found] == [cut, REQUEST, cut, REQUEST]


def test_records_larger_than_a_piece_are_found_by_their_length_and_without_it() -> None:
    told, untold = http_request(b"a" * 200_000), http_request(b"b" * 200_000).replace(b"Content-Length", b"X-Length")

    found = read(gor(told) + gor(untold) + gor(told))

    assert [message(record) for record in found] == [told, untold, told]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_text_that_holds_the_separator_is_put_together_again_by_its_length(times: int) -> None:
    body = b'{"text": "' + SEPARATOR * times + b'"}'

    found = read(gor(http_request(body)) + gor(REQUEST))

    assert [message(record) for record in found] == [http_request(body), REQUEST]


def test_a_text_that_holds_a_whole_forged_record_stays_one_text() -> None:
    forged = b"before" + SEPARATOR + b"1 abc 1\n" + http_request({"text": "forged"})

    found = read(gor(http_request(forged)) + gor(REQUEST))

    assert [message(record) for record in found] == [http_request(forged), REQUEST]


def test_a_message_that_was_cut_does_not_swallow_the_next_record() -> None:
    found = read(gor(http_request(b"cut", length=10**6)) + gor(REQUEST))

    assert [message(record) for record in found] == [http_request(b"cut", length=10**6), REQUEST]


def test_a_malformed_record_is_left_out_and_the_next_one_read() -> None:
    data = gor(http_reply(b"RIFF")) + b"what is this" + SEPARATOR + gor(REQUEST)

    assert reasons(data) == ["good", "the line of metadata is malformed", "good"]


def test_a_blank_line_before_the_message_is_passed_over() -> None:
    (record,) = read(gor(b"\n" + REQUEST))

    assert message(record) == REQUEST


def test_a_file_whose_line_ends_an_editor_changed_is_said() -> None:
    with pytest.raises(ForeignFormat, match="an editor has changed the line ends"):
        read(gor(REQUEST).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def test_what_is_no_goreplay_file_is_said() -> None:
    with pytest.raises(ForeignFormat, match="does not look like a GoReplay file"):
        read(b'{"log": {}}')


def test_an_empty_file_holds_no_record() -> None:
    assert read(b"") == []


def test_a_record_beyond_the_cap_is_left_out_in_little_memory_and_the_next_one_read() -> None:
    head = b"1 abc 1\nPOST /generate HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n"
    source = Endless((head, 1), (b"x" * 1_000, 100_000), (SEPARATOR, 1), (gor(REQUEST), 1))

    tracemalloc.start()
    found = [found for _, found in GorRecords("a.gor", source, max_record_bytes=10**6)]
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert isinstance(found[0], LeftOut)
    assert found[0].reason == f"the record has {len(head) + 10**8} bytes, more than are read"
    assert message(found[1]) == REQUEST
    assert peak_bytes < 20 * 10**6


def test_a_flood_of_separators_inside_one_message_costs_no_more_than_its_size() -> None:
    found = read(gor(b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n" + SEPARATOR * 20_000) + gor(REQUEST))

    assert reasons(gor(REQUEST)) == ["good"]
    assert message(found[-1]) == REQUEST


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(1, 50))
def test_bodies_survive_wherever_the_pieces_break(bodies: list[bytes], step: int) -> None:
    data = b"".join(gor(http_request(body)) for body in bodies)

    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(step * 40)

    found = [record for _, record in GorRecords("a.gor", Dripping(data))]

    assert [message(record) for record in found] == [http_request(body) for body in bodies]
