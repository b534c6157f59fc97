"""What comes back through the door: a reply with its times, or why there is none; and what one may take."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.transport import Phase

__all__ = ["Fault", "Limits", "Reply", "Watch", "tracing"]


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
        _WATCHING.set(self)  # a WebSocket's handshake cannot hand anything to the hooks

    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return self._clock.monotonic() - self.started_s


def tracing() -> aiohttp.TraceConfig:
    """Hooks that tell the request's `Watch` when its connection was opened.

    None is set for each chunk: it would cost a call, and first and last byte are seen better while reading.
    """

    async def opened(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        watch = _WATCHING.get()
        watch.connect_s = watch.elapsed_s()
        watch.phase = Phase.WAITING

    async def reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        _WATCHING.get().phase = Phase.WAITING

    async def redirected(_: aiohttp.ClientSession, context: SimpleNamespace, redirect: Any) -> None:
        # A WebSocket's handshake follows redirects and cannot be told not to; the key would be on its way.
        raise aiohttp.ClientPayloadError("a redirect is not followed")

    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(opened)
    config.on_connection_reuseconn.append(reused)
    config.on_request_redirect.append(redirected)
    return config
