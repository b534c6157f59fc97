import io
from itertools import chain
from typing import Any

import pytest

from replay.importers.exchanges import HttpExchange
from replay.importers.gor import read_gor
from replay.importers.gor_records import GorRecords
from replay.importers.http_message import RequestLine
from replay.importers.records import LeftOut, Place
from tests.traffic import NOON_NS, a_body, gor, http_reply, http_request

SECOND = 1_000_000_000


def is_generate(line: RequestLine) -> bool:
    return line.path == "/generate"


def read(*files: bytes) -> list[tuple[Place, HttpExchange | LeftOut]]:
    records = chain.from_iterable(GorRecords(f"t_{number}.gor", io.BytesIO(data)) for number, data in enumerate(files))
    return list(read_gor(records, wanted=is_generate))


def exchanges(*files: bytes) -> list[HttpExchange]:
    return [found for _, found in read(*files) if isinstance(found, HttpExchange)]


def reasons(*files: bytes) -> list[str]:
    return [found.reason for _, found in read(*files) if isinstance(found, LeftOut)]


def a_request(text: str = "Hello", **options: Any) -> bytes:
    return gor(http_request(a_body(text=text)), **options)


def a_reply(body: bytes = b"RIFF", *, kind: int = 2, **options: Any) -> bytes:
    return gor(http_reply(body), kind=kind, **{"at_ns": NOON_NS + SECOND, "latency_ns": SECOND // 2} | options)


def test_a_request_and_its_reply_become_one_exchange_with_their_times() -> None:
    (exchange,) = exchanges(a_request() + a_reply())

    assert (exchange.method, exchange.host, exchange.path) == ("POST", "legacy.internal", "/generate")
    assert exchange.captured_at == "2025-11-23T12:00:00+00:00"
    assert exchange.reply is not None
    assert (exchange.reply.status, exchange.reply.content_type, exchange.reply.body) == (200, "audio/wav", b"RIFF")
    assert (exchange.first_byte_s, exchange.total_s) == (1.0, 1.5)


def test_every_record_is_told_of_once() -> None:
    data = a_request() + a_reply() + a_reply(kind=3) + a_reply(kind=9) + gor(http_request(b"", path="/health"))

    places = [place.record for place, _ in read(data)]

    assert sorted(places) == [1, 2, 3, 4, 5]
    assert sorted(reasons(data)) == [
        "a record of unknown type",
        "a reply",
        "a reply to a replay",
        "not a speech endpoint",
    ]


def test_a_request_without_a_reply_still_comes() -> None:
    (exchange,) = exchanges(a_request())

    assert (exchange.reply, exchange.first_byte_s, exchange.total_s) == (None, None, None)


def test_an_id_that_comes_again_on_one_connection_is_paired_with_the_nearest_request() -> None:
    first, second = a_request("one"), a_request("two", at_ns=NOON_NS + SECOND)
    replies = [a_reply(b"RIFF1"), a_reply(b"RIFF2", at_ns=NOON_NS + 2 * SECOND)]

    found = exchanges(first + replies[0] + second + replies[1])

    assert [(b"one" in one.body, one.reply and one.reply.body) for one in found] == [
        (True, b"RIFF1"),
        (False, b"RIFF2"),
    ]


def test_a_second_reply_under_one_id_does_not_take_another_request() -> None:
    found = exchanges(a_request("one") + a_request("two", identity="other") + a_reply() + a_reply())

    assert [one.reply is None for one in found] == [False, True]


def test_a_reply_may_stand_in_the_next_file_of_a_rotation() -> None:
    (exchange,) = exchanges(a_request(), a_reply())

    assert exchange.first_byte_s == 1.0


def test_a_reply_from_before_its_request_tells_no_times() -> None:
    (exchange,) = exchanges(a_request() + a_reply(at_ns=NOON_NS - 1))

    assert exchange.reply is not None
    assert (exchange.first_byte_s, exchange.total_s) == (None, None)


def test_a_reply_that_goreplay_cut_is_known_by_its_status_alone() -> None:
    cut = gor(http_reply(b"RIFF" * 9)[:-8], kind=2, at_ns=NOON_NS + SECOND)

    (exchange,) = exchanges(a_request() + cut)

    assert exchange.reply is not None
    assert (exchange.reply.status, exchange.reply.body) == (200, None)


def test_a_reply_that_is_none_leaves_the_request_as_if_it_had_none() -> None:
    (exchange,) = exchanges(a_request() + gor(b"garbage\r\n\r\n", kind=2))

    assert exchange.reply is None


def test_a_request_that_was_cut_is_unusable() -> None:
    assert reasons(gor(http_request(b"{}", length=5_242_881))) == [
        "the body is cut short: 2 of 5242881 bytes are there"
    ]


@pytest.mark.parametrize("timestamp_ns", [10**18 * 9, 9_999_999_999_999_999_999])
def test_a_timestamp_out_of_range_is_unusable_or_far_away_and_no_crash(timestamp_ns: int) -> None:
    assert len(read(a_request(at_ns=timestamp_ns))) == 1


def test_dashscopes_header_for_streaming_is_seen() -> None:
    (exchange,) = exchanges(gor(http_request(a_body(), fields="X-DashScope-SSE: enable\r\n")))

    assert exchange.wants_sse


def test_requests_do_not_wait_for_replies_without_end() -> None:
    data = b"".join(a_request(str(number), identity=f"id{number}") for number in range(10_050)) + a_reply(
        identity="id0"
    )

    found = exchanges(data)

    assert len(found) == 10_050
    assert found[0].reply is None  # it had to go before its reply came
