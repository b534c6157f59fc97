import gzip
import io
import json
from typing import Any

import pytest

from replay.importers.exchanges import HttpExchange
from replay.importers.mitmproxy import read_mitmproxy
from replay.importers.records import ForeignFormat, LeftOut
from tests.traffic import a_body, a_flow, a_wav, tnetstring


def read(data: bytes, **options: int) -> list[HttpExchange | LeftOut]:
    source = io.BytesIO(data)
    return [found for _, found in read_mitmproxy(source, wanted=lambda line: line.path == "/generate", **options)]


def one(flow: dict[str, Any]) -> HttpExchange:
    (found,) = read(tnetstring(flow))
    assert isinstance(found, HttpExchange), found
    return found


def reason(flow: object) -> str:
    (found,) = read(tnetstring(flow))
    assert isinstance(found, LeftOut)
    return found.reason


def with_request(**changes: Any) -> dict[str, Any]:
    flow = a_flow()
    return flow | {"request": flow["request"] | changes}


def test_a_flow_becomes_an_exchange_with_its_reply_and_times() -> None:
    exchange = one(a_flow(reply=a_wav()))

    assert (exchange.key, exchange.method, exchange.host, exchange.path) == (
        "1b2c",
        "POST",
        "legacy.internal",
        "/generate",
    )
    assert (exchange.content_type, json.loads(exchange.body)) == ("application/json", a_body())
    assert exchange.captured_at == "2025-11-23T12:00:00+00:00"
    assert exchange.reply is not None
    assert (exchange.reply.status, exchange.reply.body) == (200, a_wav())
    assert exchange.first_byte_s == pytest.approx(0.8)  # from the request's last byte
    assert exchange.total_s == pytest.approx(1.5)


def test_flows_follow_each_other_and_other_endpoints_are_skipped() -> None:
    found = read(tnetstring(a_flow()) + tnetstring(with_request(path=b"/health")) + tnetstring(a_flow()))

    assert [isinstance(flow, HttpExchange) for flow in found] == [True, False, True]


def test_a_compressed_body_is_unpacked() -> None:
    headers = [[b"Content-Encoding", b"gzip"]]

    assert one(with_request(headers=headers, content=gzip.compress(b"{}"))).body == b"{}"


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        pytest.param(a_flow(version=17), "the flow is of an old format; convert", id="old"),
        pytest.param(a_flow(version=None), "the flow is of an old format; convert", id="no version"),
        pytest.param(a_flow(type="tcp"), "not an HTTP flow", id="TCP"),
        pytest.param(a_flow(request=None), "the flow has no request", id="no request"),
        pytest.param(with_request(content=None), "the body was streamed past mitmproxy", id="streamed"),
        pytest.param(with_request(timestamp_start=None), "the flow has no time", id="no time"),
        pytest.param(with_request(timestamp_start=1e11 * 9), "the time of the flow is out of range", id="year 30000"),
        pytest.param(["a"], "the flow is no mapping", id="a list"),
    ],
)
def test_what_cannot_be_replayed_is_left_out_with_its_reason(flow: object, expected: str) -> None:
    assert reason(flow).startswith(expected)


def test_a_reply_that_does_not_unpack_is_known_by_its_status() -> None:
    flow = a_flow(reply=b"no gzip")
    flow["response"]["headers"] = [[b"content-encoding", b"gzip"]]

    reply = one(flow).reply

    assert reply is not None
    assert (reply.status, reply.body) == (200, None)


def test_a_file_that_ends_inside_a_flow_keeps_those_before() -> None:
    found = read(tnetstring(a_flow()) + tnetstring(a_flow())[:-9])

    assert isinstance(found[0], HttpExchange)
    assert isinstance(found[1], LeftOut)
    assert found[1].reason == "the flow is damaged or cut short; nothing behind it can be read"


def test_a_flow_that_is_too_large_is_left_out_and_the_next_one_read() -> None:
    large, small = tnetstring(a_flow(b"x" * 9_000)), tnetstring(a_flow())

    found = read(large + small, max_flow_bytes=5_000)

    assert isinstance(found[0], LeftOut)
    assert isinstance(found[1], HttpExchange)


def test_what_is_no_flow_file_is_said() -> None:
    with pytest.raises(ForeignFormat, match="this is no mitmproxy flow file"):
        read(b'{"log": {}}')
