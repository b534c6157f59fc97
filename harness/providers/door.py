"""The one way out: every request to a provider passes here.

Follows no redirect, sends a key only to the origin it belongs to, reads no more and no longer than allowed, and returns
what went wrong as data that holds neither key nor signed address.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Any, Final, Self

import aiohttp
from pydantic import SecretStr
from yarl import URL

from harness.clock import Clock
from harness.errors import ConfigError, ErrorKind
from harness.exchanges import Failure
from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from harness.providers.transport import Phase, meaning_of

__all__ = ["Door", "Fault", "Limits", "Reply", "secret_header"]

log = logging.getLogger(__name__)

# A reply that drips slower than this once it has begun counts as stalled. Speech at its slowest is 48 kB/s.
_SLOWEST_BYTES_PER_S: Final = 1024


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


class _Watch:
    """Times one request, and knows how far it got."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.started_s = clock.monotonic()
        self.connect_s: float | None = None
        self.first_byte_s: float | None = None
        self.phase = Phase.CONNECTING

    def elapsed_s(self) -> float:
        return self._clock.monotonic() - self.started_s


class Door:
    """An HTTP client for one provider. Use with `async with`."""

    def __init__(
        self, *, origin: URL, addresses: Addresses, secrets: Mapping[str, str], limits: Limits, clock: Clock
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            origin: Where `secrets` belong; they are sent nowhere else.
            addresses: What may be reached at all.
            secrets: Headers that identify us, such as `Authorization`.
            limits: What one reply may take.
            clock: Times the parts.
        """
        self._origin = origin.origin()
        self._addresses = addresses
        self._secrets = dict(secrets)
        self._limits = limits
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # limit=0: how many calls are under way is the caller's decision, and a queue here would hide in connect_s.
        connector = aiohttp.TCPConnector(limit=0, socket_factory=self._addresses.open_socket)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=self._limits.connect_timeout_s,
                sock_read=self._limits.read_timeout_s,
            ),
            trace_configs=[_tracing()],
            trust_env=False,
            raise_for_status=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self, method: str, url: URL, *, deadline: Deadline, body: bytes | None = None, keyed: bool = False
    ) -> Reply | Fault:
        """The complete reply to one request, or why there is none.

        Args:
            method: `GET` or `POST`.
            url: Refused without a connection unless it is on the list.
            deadline: For everything, connection to last byte.
            body: JSON.
            keyed: Send the secrets along; only ever done for their own origin.
        """
        refused = self._addresses.refusal(url)
        if refused:
            log.error("request to a forbidden address refused", extra={"host": url.host, "reason": refused})
            return Fault(kind=ErrorKind.BAD_RESPONSE, detail=f"address refused: {refused}", sent=False)
        watch = _Watch(self._clock)
        try:
            if not deadline.left_s():
                raise TimeoutError  # without so much as a connection
            async with asyncio.timeout(deadline.left_s()):
                return await self._ask(method, url, body, self._headers(url, keyed, body), watch)
        except (aiohttp.ClientError, OSError) as error:
            meaning = meaning_of(error)
            return Fault(kind=meaning.kind(watch.phase), detail=meaning.detail, sent=watch.phase != Phase.CONNECTING)

    def _headers(self, url: URL, keyed: bool, body: bytes | None) -> dict[str, str]:
        # Compression would let a small reply become a huge one; audio hardly shrinks anyway.
        headers = {"Accept-Encoding": "identity", "User-Agent": "voice-cutover"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if keyed and url.origin() == self._origin:
            headers |= self._secrets
        return headers

    async def _ask(
        self, method: str, url: URL, body: bytes | None, headers: dict[str, str], watch: _Watch
    ) -> Reply | Fault:
        if self._session is None:
            raise RuntimeError("the door is shut; use `async with`")
        async with self._session.request(
            method, url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=watch
        ) as response:
            watch.phase = Phase.READING
            content = await self._read(response, watch)
            if isinstance(content, Fault):
                response.close()  # what is left of the reply is not worth reading to the end
                return content
            return Reply(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=content,
                started_s=watch.started_s,
                connect_s=watch.connect_s,
                first_byte_s=watch.first_byte_s,
                total_s=watch.elapsed_s(),
            )

    async def _read(self, response: aiohttp.ClientResponse, watch: _Watch) -> bytes | Fault:
        """The body, as far as the limits allow."""
        content = bytearray()
        cap = self._limits.max_reply_bytes
        too_large = Fault(kind=ErrorKind.TOO_LARGE, detail=f"the reply is larger than {cap} bytes", sent=True)
        if (response.content_length or 0) > cap:
            return too_large
        async for chunk in response.content.iter_any():
            if watch.first_byte_s is None:
                watch.first_byte_s = watch.elapsed_s()
            content += chunk
            if len(content) > cap:
                return too_large
            reading_s = watch.elapsed_s() - watch.first_byte_s
            if reading_s > self._limits.read_timeout_s and len(content) < reading_s * _SLOWEST_BYTES_PER_S:
                return Fault(kind=ErrorKind.TIMEOUT_READ, detail="the reply only dripped", sent=True)
        return bytes(content)


def secret_header(secret: SecretStr, variable: str) -> str:
    """The value of a key, fit for a header.

    Raises:
        ConfigError: It is empty or holds a blank or a line break, as a careless copy does; names the variable.
    """
    value = secret.get_secret_value().strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigError(
            f"{variable}: not usable as a key (empty, or with blanks or line breaks in it); copy it again"
        )
    return value


def _tracing() -> aiohttp.TraceConfig:
    """Hooks that tell a request's `_Watch` when its connection was opened.

    No other hook is set: each chunk would cost a call, and first and last byte are seen better while reading.
    """

    def watch_of(context: SimpleNamespace) -> _Watch:
        watch: _Watch = context.trace_request_ctx
        return watch

    async def opened(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        watch = watch_of(context)
        watch.connect_s = watch.elapsed_s()
        watch.phase = Phase.WAITING

    async def reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        watch_of(context).phase = Phase.WAITING

    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(opened)
    config.on_connection_reuseconn.append(reused)
    return config
