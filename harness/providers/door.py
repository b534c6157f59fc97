"""The one way out: every request to a provider passes here.

Follows no redirect, sends a key only to the origin it belongs to, reads no more and no longer than allowed, and returns
what went wrong as data that holds neither key nor signed address.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

import aiohttp
from pydantic import SecretStr
from yarl import URL

from harness.clock import Clock
from harness.errors import ConfigError, ErrorKind
from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from harness.providers.reply import Fault, Limits, Reply, Watch, tracing
from harness.providers.transport import Phase, meaning_of

__all__ = ["Door", "Fault", "Limits", "Listener", "Reply", "secret_header"]

Listener = Callable[[bytes], None]  # gets each piece of a body as it arrives

log = logging.getLogger(__name__)

# A reply that drips slower than this once it has begun counts as stalled. Speech at its slowest is 48 kB/s.
_SLOWEST_BYTES_PER_S: Final = 1024


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
            trace_configs=[tracing()],
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
        self,
        method: str,
        url: URL,
        *,
        deadline: Deadline,
        body: bytes | None = None,
        keyed: bool = False,
        headers: Mapping[str, str] | None = None,
        listener: Listener | None = None,
    ) -> Reply | Fault:
        """The complete reply to one request, or why there is none.

        Args:
            method: `GET` or `POST`.
            url: Refused without a connection unless it is on the list.
            deadline: For everything, connection to last byte.
            body: JSON.
            keyed: Send the secrets along; only ever done for their own origin.
            headers: More of them, none secret.
            listener: Gets each piece of the body as it arrives, of a reply that fails half-way too.
        """
        refused = self._addresses.refusal(url)
        if refused:
            log.error("request to a forbidden address refused", extra={"host": url.host, "reason": refused})
            return Fault(kind=ErrorKind.BAD_RESPONSE, detail=f"address refused: {refused}", sent=False)
        watch = Watch(self._clock)
        try:
            if not deadline.left_s():
                raise TimeoutError  # without so much as a connection
            async with asyncio.timeout(deadline.left_s()):
                every = self._headers(url, keyed, body) | dict(headers or {})
                return await self._ask(method, url, body, every, watch, listener)
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
        self,
        method: str,
        url: URL,
        body: bytes | None,
        headers: dict[str, str],
        watch: Watch,
        listener: Listener | None,
    ) -> Reply | Fault:
        if self._session is None:
            raise RuntimeError("the door is shut; use `async with`")
        async with self._session.request(
            method, url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=watch
        ) as response:
            watch.phase = Phase.READING
            content = await self._read(response, watch, listener)
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

    async def _read(self, response: aiohttp.ClientResponse, watch: Watch, listener: Listener | None) -> bytes | Fault:
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
            if listener is not None:
                listener(chunk)
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
