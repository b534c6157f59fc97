"""What comes back through the door: a reply with its times, or why there is none; and what one may take."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from socket import socket
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.transport import Phase

__all__ = ["Fault", "Limits", "Reply", "Watch", "WatchedRequest", "watched"]

OpenSocket = Callable[[aiohttp.AddrInfoType], socket]

_WATCHING: "ContextVar[Watch]" = ContextVar("watching")  # the request under way in this task


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one reply may take."""

    connect_timeout_s: float  # name, connection and encryption together
    read_timeout_s: float  # the longest silence, and how long a reply may drip
    max_reply_bytes: int  # after decompression


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)
    started_s: float  # on the clock's monotonic scale
    connect_s: float | None  # None when an open connection was used again
    first_byte_s: float | None  # of the body, from the start; None without a body
    total_s: float

    @property
    def body_began_s(self) -> float:
        """When the first byte of the body was here, on the monotonic scale; the end of the reply without one."""
        return self.started_s + (self.total_s if self.first_byte_s is None else self.first_byte_s)

    @property
    def ended_s(self) -> float:
        """When its last byte was here, on the monotonic scale."""
        return self.started_s + self.total_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why there is no answer."""

    kind: ErrorKind
    detail: str
    sent: bool  # the request may have reached the provider

    @property
    def failure(self) -> Failure:
        """The fault as the failure of an exchange."""
        return Failure(kind=self.kind, code=None, detail=self.detail)


class Watch:
    """Times one request, and knows how far it got."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.started_s = clock.monotonic()
        self.connect_s: float | None = None
        self.first_byte_s: float | None = None
        self.phase = Phase.CONNECTING
        self._url: URL | None = None  # that was asked for
        self._is_dialling = False
        _WATCHING.set(self)  # neither a socket's factory nor a request's class can be handed anything

    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return self._clock.monotonic() - self.started_s

    def asked(self, url: URL) -> None:
        """Note where a request is about to go.

        Raises:
            ClientPayloadError: It has been somewhere else before. A WebSocket's handshake follows redirects and cannot
                be told not to; the key would be on its way.
        """
        if self._url not in (None, url):
            raise aiohttp.ClientPayloadError("a redirect is not followed")
        self._url = url

    def dialled(self) -> None:
        """Note that a connection is made, as no open one could be used."""
        self._is_dialling = True

    def connected(self) -> None:
        """Note that there is a connection, and nothing sent over it yet."""
        self.phase = Phase.WAITING
        if self._is_dialling:
            self.connect_s, self._is_dialling = self.elapsed_s(), False


class WatchedRequest(aiohttp.ClientRequest):
    """Tells the request's `Watch` where it goes, and when it has a connection.

    aiohttp's own hooks would tell as much, at 15 us a request for those that nobody listens to.
    """

    def __init__(self, method: str, url: URL, **options: Any) -> None:
        _WATCHING.get().asked(url)
        super().__init__(method, url, **options)

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """See aiohttp."""
        _WATCHING.get().connected()
        return await super().send(conn)


def watched(open_socket: OpenSocket) -> OpenSocket:
    """The factory of sockets that tells the request's `Watch` of each."""

    def opened(info: aiohttp.AddrInfoType) -> socket:
        _WATCHING.get().dialled()
        return open_socket(info)

    return opened
