"""Servers that misbehave on purpose, and what the tests of providers need to talk to them."""

import array
import asyncio
import json
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from harness.errors import BudgetExceeded
from harness.providers.base import PaidCall
from tests.canaries import QWEN_KEY
from tests.virtual_time import VirtualClock

PRICES = Path(__file__).resolve().parents[3] / "data" / "prices.toml"
CANARY = QWEN_KEY
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Script:
    """A server that answers from a list, the last answer again and again; keeps what it was asked."""

    answers: list[Handler] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    busy: int = 0  # answers under way

    @property
    def authority(self) -> str:
        return URL(self.url).authority

    def paths(self) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.seen]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.method, request.path, request.query_string, headers, await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.busy += 1
        try:
            return await answer(request)
        finally:
            self.busy -= 1


@asynccontextmanager
async def a_server(*answers: Handler) -> AsyncIterator[Script]:
    script = Script(list(answers))
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{any:.*}", script.handle)
    server = TestServer(app)
    await server.start_server(access_log=None)  # it would show what our own log must not
    script.url = str(server.make_url("")).rstrip("/")
    try:
        yield script
    finally:
        while script.busy:  # a server that is closed while it answers leaves its socket open
            await VirtualClock().sleep(0.005)
        await server.close()


def says(body: Any, status: int = 200, **headers: str) -> Handler:
    """Answer with JSON; `retry_after="2"` becomes the header `retry-after`."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=_named(headers))

    return answer


def sends(body: bytes, status: int = 200, content_type: str = "audio/wav", **headers: str) -> Handler:
    """Answer with bytes."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, content_type=content_type, headers=_named(headers))

    return answer


EVENTS = "text/event-stream;charset=UTF-8"


def streams(*pieces: bytes, gap_s: float = 0.0, then: str = "end", content_type: str = EVENTS) -> Handler:
    """Answer with server-sent events, piece by piece, and then end, reset the connection or hang."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await VirtualClock().sleep(gap_s)
        if then == "reset" and request.transport:
            request.transport.close()
        elif then == "hang":
            await hangs()(request)
        return response

    return answer


def speaks_until_left(piece: bytes, *, content_type: str = EVENTS) -> Handler:
    """Answer with the same piece again and again as long as the client is there."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        with suppress(ConnectionError):
            while request.transport is not None:
                await response.write(piece)
                await VirtualClock().sleep(0.005)
        return response

    return answer


def hangs() -> Handler:
    """Never answer as long as the client waits."""

    async def answer(request: web.Request) -> web.StreamResponse:
        while request.transport is not None:
            await VirtualClock().sleep(0.005)
        return web.Response()

    return answer


def drops() -> Handler:
    """Close the connection instead of answering."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.transport:
            request.transport.close()
        return web.Response()

    return answer


@asynccontextmanager
async def a_raw_server(reply: bytes, *, then: str = "close", gap_s: float = 0.0) -> AsyncIterator[str]:
    """Reads a request, writes `reply` as it is, then closes, resets, hangs or goes on for ever.

    With a gap the reply drips, byte by byte, once its head is out. Yields the base URL.
    """

    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await _read_request(reader)
            head, mark, body = reply.partition(b"\r\n\r\n")
            for piece in [head + mark, *([body] if not gap_s else [body[at : at + 1] for at in range(len(body))])]:
                writer.write(piece)
                await writer.drain()
                await VirtualClock().sleep(gap_s)
            while then == "endless":
                writer.write(b"x" * 65_536)
                await writer.drain()
            if then == "hang":
                await reader.read()
            elif then == "reset":
                linger = struct.pack("ii", 1, 0)  # close with RST
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            if then == "endless":
                writer.transport.abort()  # nobody will read what is still in the buffer
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.wait(tasks, timeout=1.0) if tasks else None


async def _read_request(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    for line in head.splitlines():
        if line.startswith("content-length:"):
            await reader.readexactly(int(line.partition(":")[2]))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def a_wav(
    seconds: float = 0.5,
    *,
    silence_s: float = 0.0,
    rate_hz: int = 24_000,
    level: int = 8_000,
    declared_bytes: int | None = None,
) -> bytes:
    """Mono 16-bit WAV: silence, then a square wave."""
    silent, loud = int(silence_s * rate_hz), int(seconds * rate_hz)
    samples = array.array("h", [0] * silent + [level if at // 50 % 2 else -level for at in range(loud)])
    data = samples.tobytes() if sys.byteorder == "little" else samples.byteswap() or samples.tobytes()
    size = len(data) if declared_bytes is None else declared_bytes
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16
    )
    return head + struct.pack("<4sI", b"data", size) + data


class Audience:
    """A sink that keeps what it hears and when; takes its time, or leaves during one of its writes."""

    def __init__(self, *, takes_s: float = 0.0, leaves_at: int | None = None, error: Exception | None = None) -> None:
        self.rates_hz: list[int] = []
        self.pieces: list[bytes] = []
        self.heard_at_s: list[float] = []
        self._takes_s = takes_s
        self._leaves_at = leaves_at
        self._error = error or ConnectionResetError("Cannot write to closing transport")

    @property
    def pcm(self) -> bytes:
        return b"".join(self.pieces)

    async def begin(self, *, rate_hz: int) -> None:
        self.rates_hz.append(rate_hz)

    async def write(self, pcm: bytes) -> None:
        if len(self.pieces) == self._leaves_at:
            raise self._error
        self.pieces.append(pcm)
        self.heard_at_s.append(VirtualClock().monotonic())
        await VirtualClock().sleep(self._takes_s)


class Till:
    """An admission that keeps what was admitted and settled, and stops at a number of calls."""

    def __init__(self, *, calls: int | None = None) -> None:
        self.admitted: list[PaidCall] = []
        self.settled: list[tuple[PaidCall, int | None]] = []
        self._calls = calls

    @property
    def amounts(self) -> list[int | None]:
        return [microusd for _, microusd in self.settled]

    async def admit(self, call: PaidCall) -> None:
        if self._calls is not None and len(self.admitted) >= self._calls:
            raise BudgetExceeded("0.10 USD of 0.10 are spent; raise --budget")
        self.admitted.append(call)

    def settle(self, call: PaidCall, microusd: int | None) -> None:
        assert any(call is admitted for admitted in self.admitted)
        assert not any(call is settled for settled, _ in self.settled)
        self.settled.append((call, microusd))


_connections: list[object] | None = None


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto") and _connections is not None:
        _connections.append((event, arguments[1:]))


sys.addaudithook(_audit)  # cannot be taken away again, so it listens only inside `connections()`


@contextmanager
def connections() -> Iterator[list[object]]:
    """Every name that is looked up and every connection that is begun in this process meanwhile."""
    global _connections
    _connections = found = []
    try:
        yield found
    finally:
        _connections = None
