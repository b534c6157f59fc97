import asyncio
import gzip
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from harness.clock import FakeClock
from harness.errors import ConfigError, ErrorKind
from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from harness.providers.door import Door, Fault, Limits, Reply, secret_header
from tests.harness.providers.stubs import (
    CANARY,
    Script,
    a_raw_server,
    a_server,
    connections,
    drops,
    hangs,
    says,
    sends,
    speaks_until_left,
    streams,
)
from tests.virtual_time import VirtualClock

OpenDoor = Callable[..., Awaitable[Door]]
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n"


@pytest.fixture
def deadline(clock: FakeClock) -> Deadline:
    return Deadline(clock, 5.0)


async def test_a_reply_comes_back_whole_whatever_its_status(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(says({"detail": "no"}, status=422, X_Request_Id="r1")) as server:
        door = await open_door(server.url)

        reply = await door.send("POST", URL(server.url) / "x", body=b'{"a":1}', deadline=deadline)

    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.headers["x-request-id"]) == (422, b'{"detail": "no"}', "r1")
    assert server.seen[0].json == {"a": 1}
    assert server.seen[0].headers["content-type"] == "application/json"
    assert server.seen[0].headers["accept-encoding"] == "identity"


async def test_the_key_goes_to_its_own_origin_and_only_when_asked_for(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(sends(b"x")) as api, a_server(sends(b"x")) as other:
        door = await open_door(api.url, also=(other.authority,))
        for server in (api, other):
            for keyed in (True, False):
                await door.send("GET", URL(server.url) / "x", keyed=keyed, deadline=deadline)

    assert [seen.headers.get("authorization") for seen in api.seen] == [f"Bearer {CANARY}", None]
    assert [seen.headers.get("authorization") for seen in other.seen] == [None, None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_handed_back_and_not_followed(open_door: OpenDoor, deadline: Deadline, status: int) -> None:
    async with a_server(sends(b"secret")) as other, a_server(sends(b"", status, location=f"{other.url}/y")) as server:
        door = await open_door(server.url, also=(other.authority,))

        reply = await door.send("POST", URL(server.url) / "x", body=b"{}", keyed=True, deadline=deadline)

    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers["location"]) == (status, f"{other.url}/y")
    assert other.seen == []


async def test_a_cookie_is_not_kept(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(sends(b"x", Set_Cookie="session=1; Path=/")) as server:
        by_name = URL(server.url).with_host("localhost")  # cookies are kept for names, never for addresses
        door = await open_door(str(by_name))
        for _ in range(2):
            await door.send("GET", by_name / "x", deadline=deadline)

    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/x", "https://127.0.0.1/x", "https://example.com/x", "file:///etc/passwd", "http://[::1]/"],
)
async def test_an_address_that_is_not_on_the_list_costs_no_connection(
    open_door: OpenDoor, deadline: Deadline, address: str
) -> None:
    door = await open_door("http://127.0.0.1:9")

    with connections() as found:
        fault = await door.send("GET", URL(address), keyed=True, deadline=deadline)

    assert found == []
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.sent) == (ErrorKind.BAD_RESPONSE, False)


async def test_the_count_of_connections_sees_one_that_is_allowed(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(sends(b"x")) as server:
        door = await open_door(server.url)

        with connections() as found:
            await door.send("GET", URL(server.url), deadline=deadline)

    assert len(found) >= 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_an_allowed_name_that_leads_to_this_machine_opens_no_socket(
    clock: FakeClock, deadline: Deadline, host: str
) -> None:
    # The host is on the list, as a name that an attacker's resolver points to loopback would be.
    url = URL(f"https://{host}:8443")
    limits = Limits(connect_timeout_s=1.0, read_timeout_s=1.0, max_reply_bytes=1_000)
    addresses = Addresses(origin=url, hosts=None, allow_hosts=())
    async with Door(origin=url, addresses=addresses, secrets={}, limits=limits, clock=clock) as door:
        with connections() as found:
            fault = await door.send("GET", url / "x", deadline=deadline)

    assert [event for event, _ in found if event == "socket.connect"] == []  # type: ignore[misc]
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.sent) == (ErrorKind.DNS, False)
    assert "not public" in fault.detail


async def test_nobody_listening_is_told_as_not_sent(
    open_door: OpenDoor, deadline: Deadline, unused_tcp_port: int
) -> None:
    door = await open_door(f"http://127.0.0.1:{unused_tcp_port}")

    fault = await door.send("POST", URL(f"http://127.0.0.1:{unused_tcp_port}/x"), body=b"{}", deadline=deadline)

    assert fault == Fault(kind=ErrorKind.CONN_RESET, detail="the connection broke", sent=False)


async def test_a_server_that_speaks_no_tls_is_told_as_such(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(sends(b"x")) as server:
        url = URL(server.url).with_scheme("https")
        door = await open_door(str(url))

        fault = await door.send("GET", url, deadline=deadline)

    assert isinstance(fault, Fault)
    assert (fault.kind, fault.sent) == (ErrorKind.TLS, False)


@pytest.mark.parametrize(
    ("reply", "then", "kind"),
    [
        pytest.param(b"", "close", ErrorKind.UNKNOWN_OUTCOME, id="closed unanswered"),
        pytest.param(b"", "reset", ErrorKind.UNKNOWN_OUTCOME, id="reset unanswered"),
        pytest.param(b"", "hang", ErrorKind.TIMEOUT_READ, id="hangs unanswered"),
        pytest.param(b"HTTP/1.1 200", "close", ErrorKind.UNKNOWN_OUTCOME, id="closed in the status line"),
        pytest.param(OK_HEAD + b"Content-Length: 9\r\n\r\nabc", "close", ErrorKind.CONN_RESET, id="body cut off"),
        pytest.param(OK_HEAD + b"Content-Length: 9\r\n\r\nabc", "reset", ErrorKind.CONN_RESET, id="body reset"),
        pytest.param(OK_HEAD + b"Content-Length: 9\r\n\r\nabc", "hang", ErrorKind.TIMEOUT_READ, id="body hangs"),
        pytest.param(
            OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "close",
            ErrorKind.CONN_RESET,
            id="no last chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", "close", ErrorKind.BAD_RESPONSE, id="long head"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 100_000 + b"\r\n", "close", ErrorKind.BAD_RESPONSE, id="many headers"
        ),
        pytest.param(
            OK_HEAD + b"Content-Length: ten\r\n\r\nabc", "close", ErrorKind.BAD_RESPONSE, id="a length in words"
        ),
        pytest.param(
            OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
            "close",
            ErrorKind.BAD_RESPONSE,
            id="a chunk of zz bytes",
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "close", ErrorKind.BAD_RESPONSE, id="no HTTP at all"),
        pytest.param(
            OK_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
            "close",
            ErrorKind.BAD_RESPONSE,
            id="broken compression",
        ),
    ],
)
async def test_a_connection_that_misbehaves_becomes_a_fault(
    open_door: OpenDoor, deadline: Deadline, reply: bytes, then: str, kind: ErrorKind
) -> None:
    async with a_raw_server(reply, then=then) as base:
        door = await open_door(base, read_timeout_s=0.1)

        fault = await door.send("POST", URL(base) / "x", body=b'{"text":"hi"}', keyed=True, deadline=deadline)

    assert isinstance(fault, Fault)
    assert (fault.kind, fault.sent) == (kind, True)


async def test_a_connection_that_was_used_before_and_breaks_leaves_the_outcome_unknown(
    open_door: OpenDoor, deadline: Deadline
) -> None:
    async with a_server(sends(b"x"), drops()) as server:
        door = await open_door(server.url)
        await door.send("POST", URL(server.url), body=b"{}", deadline=deadline)

        fault = await door.send("POST", URL(server.url), body=b"{}", deadline=deadline)

    assert fault == Fault(kind=ErrorKind.UNKNOWN_OUTCOME, detail="the connection broke", sent=True)
    assert len(server.seen) == 2  # and it was not sent again behind our back


async def test_a_body_that_drips_is_given_up_although_it_is_never_silent(open_door: OpenDoor) -> None:
    clock = VirtualClock()
    async with a_raw_server(OK_HEAD + b"Content-Length: 500\r\n\r\n" + b"x" * 500, gap_s=0.01) as base:
        door = await open_door(base, read_timeout_s=0.1, door_clock=clock)
        began_s = clock.monotonic()

        fault = await door.send("GET", URL(base) / "x", deadline=Deadline(clock, 5.0))

        assert clock.monotonic() - began_s < 2.0
    assert fault == Fault(kind=ErrorKind.TIMEOUT_READ, detail="the reply only dripped", sent=True)


async def test_a_head_that_drips_is_given_up_although_it_is_never_silent(open_door: OpenDoor) -> None:
    clock = VirtualClock()
    async with a_raw_server(b"\r\n\r\n" + OK_HEAD + b"X: " + b"x" * 500, gap_s=0.01) as base:
        door = await open_door(base, connect_timeout_s=0.05, read_timeout_s=0.05, door_clock=clock)
        began_s = clock.monotonic()

        fault = await door.send("GET", URL(base) / "x", deadline=Deadline(clock, 5.0))

        assert clock.monotonic() - began_s < 2.0
    assert fault == Fault(kind=ErrorKind.TIMEOUT_READ, detail="the head of the reply only dripped", sent=True)


async def test_a_connection_that_never_comes_about_is_given_up_in_time(
    open_door: OpenDoor, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    door = await open_door("http://127.0.0.1:9", connect_timeout_s=0.05)

    fault = await door.send("POST", URL("http://127.0.0.1:9/x"), body=b"{}", deadline=deadline)

    assert fault == Fault(kind=ErrorKind.TIMEOUT_CONNECT, detail="no connection in time", sent=False)


async def test_the_deadline_ends_a_request_that_nothing_else_would(open_door: OpenDoor, clock: FakeClock) -> None:
    async with a_server(hangs()) as server:
        door = await open_door(server.url)

        fault = await door.send("GET", URL(server.url), deadline=Deadline(clock, 0.05))

    assert fault == Fault(kind=ErrorKind.TIMEOUT_TOTAL, detail="the deadline passed", sent=True)


async def test_after_the_deadline_nothing_is_sent_any_more(open_door: OpenDoor, clock: FakeClock) -> None:
    async with a_server(sends(b"x")) as server:
        door = await open_door(server.url)

        with connections() as found:
            fault = await door.send("GET", URL(server.url), deadline=Deadline(clock, 0.0))

    assert fault == Fault(kind=ErrorKind.TIMEOUT_TOTAL, detail="the deadline passed", sent=False)
    assert found == []


async def test_cancellation_passes_through(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(hangs()) as server, asyncio.TaskGroup() as group:
        door = await open_door(server.url)
        task = group.create_task(door.send("GET", URL(server.url), deadline=deadline))
        while not server.seen:
            await VirtualClock().sleep(0.005)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(sends(b"x" * 1_001), id="announced"),
        pytest.param(sends(gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip"), id="compressed bomb"),
    ],
)
async def test_a_reply_that_is_too_large_is_not_read_to_the_end(
    open_door: OpenDoor, deadline: Deadline, answer: Any
) -> None:
    async with a_server(answer) as server:
        door = await open_door(server.url, max_reply_bytes=1_000)

        fault = await door.send("GET", URL(server.url), deadline=deadline)

    assert fault == Fault(kind=ErrorKind.TOO_LARGE, detail="the reply is larger than 1000 bytes", sent=True)


async def test_a_reply_without_end_is_cut_off(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_raw_server(OK_HEAD + b"Connection: close\r\n\r\n", then="endless") as base:
        door = await open_door(base, max_reply_bytes=100_000)

        fault = await door.send("GET", URL(base), deadline=deadline)

    assert fault == Fault(kind=ErrorKind.TOO_LARGE, detail="the reply is larger than 100000 bytes", sent=True)


async def test_a_reply_of_exactly_the_largest_size_is_read(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(sends(b"x" * 1_000)) as server:
        door = await open_door(server.url, max_reply_bytes=1_000)

        reply = await door.send("GET", URL(server.url), deadline=deadline)

    assert isinstance(reply, Reply)


async def test_connection_first_byte_and_last_byte_are_timed_apart(open_door: OpenDoor) -> None:
    clock = VirtualClock()

    async def slowly(request: web.Request) -> web.StreamResponse:
        await clock.sleep(0.05)
        response = web.StreamResponse()
        await response.prepare(request)
        await clock.sleep(0.05)
        await response.write(b"first")
        await clock.sleep(0.05)
        await response.write(b"last")
        return response

    async with a_server(slowly) as server:
        door = await open_door(server.url, door_clock=clock)
        replies = [await door.send("GET", URL(server.url), deadline=Deadline(clock, 5.0)) for _ in range(2)]

    first, again = replies
    assert isinstance(first, Reply)
    assert isinstance(again, Reply)
    assert first.connect_s is not None
    assert first.connect_s < 0.05
    assert again.connect_s is None  # the same connection
    for reply in (first, again):
        assert reply.first_byte_s is not None
        assert reply.first_byte_s == pytest.approx(0.1, abs=0.01)
        assert reply.total_s == pytest.approx(0.15, abs=0.01)
        assert reply.ended_s - reply.body_began_s == pytest.approx(reply.total_s - reply.first_byte_s)


async def test_a_reply_without_a_body_has_no_first_byte(open_door: OpenDoor, deadline: Deadline) -> None:
    async with a_server(sends(b"", 204)) as server:
        door = await open_door(server.url)

        reply = await door.send("GET", URL(server.url), deadline=deadline)

    assert isinstance(reply, Reply)
    assert (reply.body, reply.first_byte_s) == (b"", None)


async def test_neither_key_nor_signature_is_in_what_comes_back_or_in_the_log(
    open_door: OpenDoor, deadline: Deadline, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_server(says({}, 403), drops()) as server:
        door = await open_door(server.url)
        signed = URL(f"{server.url}/x.wav?Signature=canary-signature", encoded=True)
        found = [await door.send("GET", signed, keyed=True, deadline=deadline) for _ in range(2)]
        found.append(await door.send("GET", signed.with_host("example.com"), keyed=True, deadline=deadline))

    shown = "".join(f"{each!r}{each}" for each in [*found, door]) + caplog.text + repr(caplog.records)
    assert CANARY not in shown
    assert "canary-signature" not in shown
    assert len(pickle.dumps(found[1])) < 500  # plain data: no exception, no request hangs on it
    assert traceback.format_exc() == "NoneType: None\n"


async def test_a_listener_gets_each_piece_as_it_arrives_and_headers_go_along(
    open_door: OpenDoor, deadline: Deadline
) -> None:
    pieces: list[bytes] = []

    async def listen(content_type: str, piece: bytes) -> None:
        pieces.append(piece)

    async with a_server(streams(b"data:a\n\n", b"data:b\n\n", gap_s=0.03)) as server:
        door = await open_door(server.url)
        reply = await door.send("GET", URL(server.url), deadline=deadline, headers={"X-A": "1"}, listener=listen)

    assert pieces == [b"data:a\n\n", b"data:b\n\n"]
    assert isinstance(reply, Reply)
    assert reply.body == b"".join(pieces)
    assert server.seen[0].headers["x-a"] == "1"


async def test_a_listener_keeps_what_came_before_the_connection_broke(open_door: OpenDoor, deadline: Deadline) -> None:
    pieces: list[bytes] = []

    async def listen(content_type: str, piece: bytes) -> None:
        pieces.append(piece)

    async with a_server(streams(b"data:a\n\n", gap_s=0.03, then="reset")) as server:
        door = await open_door(server.url)
        fault = await door.send("GET", URL(server.url), deadline=deadline, listener=listen)

    assert pieces == [b"data:a\n\n"]
    assert isinstance(fault, Fault)
    assert fault.kind is ErrorKind.CONN_RESET


async def test_a_listener_who_takes_its_time_does_not_make_the_reply_a_dripping_one(
    open_door: OpenDoor, deadline: Deadline
) -> None:
    async def listen(content_type: str, piece: bytes) -> None:
        await VirtualClock().sleep(0.06)

    async with a_server(streams(b"a", b"b", b"c", gap_s=0.01)) as server:
        door = await open_door(server.url, door_clock=VirtualClock(), read_timeout_s=0.05)
        reply = await door.send("GET", URL(server.url), deadline=deadline, listener=listen)

    assert isinstance(reply, Reply), reply
    assert reply.body == b"abc"


async def test_a_listener_hears_nothing_of_a_refusal(open_door: OpenDoor, deadline: Deadline) -> None:
    pieces: list[bytes] = []

    async def listen(content_type: str, piece: bytes) -> None:
        pieces.append(piece)

    async with a_server(says({"code": "Throttling"}, 429)) as server:
        door = await open_door(server.url)
        reply = await door.send("GET", URL(server.url), deadline=deadline, listener=listen)

    assert isinstance(reply, Reply)
    assert (reply.status, pieces) == (429, [])


async def test_what_a_listener_raises_comes_out_of_the_door(open_door: OpenDoor, deadline: Deadline) -> None:
    async def listen(content_type: str, piece: bytes) -> None:
        raise LookupError(content_type)

    async with a_server(speaks_until_left(b"data:a\n\n")) as server:  # cannot be left while a connection is open
        door = await open_door(server.url)
        with pytest.raises(LookupError, match="text/event-stream"):
            await door.send("GET", URL(server.url), deadline=deadline, listener=listen)


async def test_a_listener_hears_nothing_beyond_the_cap(open_door: OpenDoor, deadline: Deadline) -> None:
    pieces: list[bytes] = []

    async def listen(content_type: str, piece: bytes) -> None:
        pieces.append(piece)

    async with a_server(streams(b"x" * 60, b"y" * 60, gap_s=0.03)) as server:
        door = await open_door(server.url, max_reply_bytes=100)
        fault = await door.send("GET", URL(server.url), deadline=deadline, listener=listen)

    assert pieces == [b"x" * 60]
    assert isinstance(fault, Fault)
    assert fault.kind is ErrorKind.TOO_LARGE


async def test_a_shut_door_says_how_to_open_it(clock: FakeClock, deadline: Deadline) -> None:
    url = URL("https://dashscope.aliyuncs.com")
    limits = Limits(connect_timeout_s=1.0, read_timeout_s=1.0, max_reply_bytes=1)
    addresses = Addresses(origin=url, hosts=None, allow_hosts=())
    door = Door(origin=url, addresses=addresses, secrets={}, limits=limits, clock=clock)

    with pytest.raises(RuntimeError, match="async with"):
        await door.send("GET", url, deadline=deadline)


@pytest.mark.parametrize("value", ["", "  ", "sk-a b", "sk-a\nX-Evil: 1", "sk-ключ", "sk-\x00"])
def test_a_key_that_fits_no_header_is_told_by_its_variable_and_never_shown(value: str) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_QWEN__API_KEY") as refused:
        secret_header(SecretStr(value), "CUTOVER_QWEN__API_KEY")

    assert not value.strip() or value.strip() not in str(refused.value)


def test_a_key_copied_with_its_line_break_is_mended() -> None:
    assert secret_header(SecretStr("sk-abc\n"), "V") == "sk-abc"


class Talk:
    """A WebSocket server that says its lines, answers what it is told, and then leaves in some way."""

    def __init__(self, *lines: str, then: str = "wait") -> None:
        self.heard: list[str] = []
        self.key: str | None = None
        self._lines = lines
        self._then = then

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.key = request.headers.get("Authorization")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for line in self._lines:
            await socket.send_str(line)
        if self._then == "binary":
            await socket.send_bytes(b"x")
        if self._then == "abort" and request.transport:
            request.transport.abort()
        elif self._then == "close":
            await socket.close(code=1011)
        self.heard = [message.data async for message in socket]
        return socket


async def talked(open_door: OpenDoor, server: Script, deadline: Deadline, **limits: Any) -> Any:
    """What comes of a talk that ends with the line "bye"."""
    lines: list[str] = []

    async def interlocutor(line: str) -> list[str] | None:
        lines.append(line)
        return None if line == "bye" else [f"{line}?"]

    door = await open_door(server.url, **limits)
    return lines, await door.talk(URL(server.url), deadline=deadline, interlocutor=interlocutor)


async def test_a_conversation_goes_on_until_it_is_over(open_door: OpenDoor, deadline: Deadline) -> None:
    talk = Talk("hello", "bye")
    async with a_server(talk) as server:
        lines, reply = await talked(open_door, server, deadline)

    assert lines == ["hello", "bye"]
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (101, b"")
    assert reply.first_byte_s is not None
    assert talk.heard == ["hello?"]
    assert talk.key == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("talk", "limits", "kind"),
    [
        pytest.param(Talk("hello", then="close"), {}, ErrorKind.CONN_RESET, id="closed by the other side"),
        pytest.param(Talk("hello", then="abort"), {}, ErrorKind.CONN_RESET, id="torn"),
        pytest.param(Talk("hello"), {"read_timeout_s": 0.05}, ErrorKind.TIMEOUT_READ, id="stalled"),
        pytest.param(Talk(then="binary"), {}, ErrorKind.BAD_RESPONSE, id="bytes instead of text"),
        pytest.param(Talk("x" * 60, "y" * 60), {"max_reply_bytes": 100}, ErrorKind.TOO_LARGE, id="too much in all"),
        pytest.param(Talk("x" * 200), {"max_reply_bytes": 100}, ErrorKind.TOO_LARGE, id="too much at once"),
    ],
)
async def test_a_conversation_that_breaks_off_is_told_by_how(
    open_door: OpenDoor, deadline: Deadline, talk: Talk, limits: dict[str, Any], kind: ErrorKind
) -> None:
    async with a_server(talk) as server:
        _, fault = await talked(open_door, server, deadline, **limits)

    assert isinstance(fault, Fault)
    assert (fault.kind, fault.sent) == (kind, True)


async def test_the_deadline_bounds_a_conversation(open_door: OpenDoor) -> None:
    async with a_server(Talk("hello")) as server:
        _, fault = await talked(open_door, server, Deadline(VirtualClock(), 0.1))

    assert isinstance(fault, Fault)
    assert fault.kind is ErrorKind.TIMEOUT_TOTAL


async def test_a_server_that_does_not_want_to_talk_is_told_by_its_status(
    open_door: OpenDoor, deadline: Deadline
) -> None:
    async with a_server(says({"code": "InvalidApiKey"}, 401)) as server:
        _, reply = await talked(open_door, server, deadline)

    assert isinstance(reply, Reply)
    assert reply.status == 401


async def test_no_handshake_follows_a_redirect(open_door: OpenDoor, deadline: Deadline) -> None:
    elsewhere = Talk("bye")
    async with a_server(elsewhere) as other, a_server(sends(b"", 302, location=f"{other.url}/x")) as server:
        _, fault = await talked(open_door, server, deadline, also=(other.authority,))

    assert isinstance(fault, Fault)
    assert other.seen == []


async def test_no_conversation_with_a_forbidden_address(open_door: OpenDoor, deadline: Deadline) -> None:
    async def silent(_: str) -> None:
        return None

    door = await open_door("http://127.0.0.1:9")
    with connections() as made:
        fault = await door.talk(URL("https://example.com"), deadline=deadline, interlocutor=silent)

    assert isinstance(fault, Fault)
    assert (fault.sent, made) == (False, [])
