"""The one way out: every request to a provider passes here.

Follows no redirect, sends a key only to the origin it belongs to, reads no more and no longer than allowed, and returns
what went wrong as data that holds neither key nor signed address.
"""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
from pydantic import SecretStr
from yarl import URL

from harness.clock import Clock
from harness.errors import ConfigError, ErrorKind
from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from harness.providers.reply import Fault, Limits, Reply, Watch, WatchedRequest, watched
from harness.providers.trace_context import outgoing_headers
from harness.providers.transport import TROUBLES, Phase, meaning_of

__all__ = ["Door", "Fault", "Interlocutor", "Limits", "Listener", "Reply", "secret_header"]

log = logging.getLogger(__name__)

# Gets the content type and each piece of the body of a good reply as it arrives; nothing more is read until it is done.
Listener = Callable[[str, bytes], Awaitable[None]]
# Gets a message, gives the answers to it; None ends the talk.
Interlocutor = Callable[[str], Awaitable[Sequence[str] | None]]

# A reply that drips slower than this once it has begun counts as stalled. Speech at its slowest is 48 kB/s.
_SLOWEST_BYTES_PER_S: Final = 1024
_GOODBYE_S: Final = 1.0  # for the other side of a WebSocket to confirm its end; all was said by then


class Door:
    """An HTTP client for one provider. Use with `async with`."""

    def __init__(
        self,
        *,
        origin: URL,
        addresses: Addresses,
        secrets: Mapping[str, str],
        limits: Limits,
        clock: Clock,
        origins: Iterable[URL] = (),
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            origin: Where `secrets` belong; they are sent nowhere else.
            addresses: What may be reached at all.
            secrets: Headers that identify us, such as `Authorization`.
            limits: What one reply may take.
            clock: Times the parts.
            origins: More places where `secrets` belong.
        """
        self._origins = frozenset(url.origin() for url in (origin, *origins))
        self._addresses = addresses
        self._secrets = dict(secrets)
        self._limits = limits
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._dated: tuple[str | None, datetime] | None = None  # what the last server said it was, and what we had

    async def __aenter__(self) -> Self:
        # limit=0: how many calls are under way is the caller's decision, and a queue here would hide in connect_s.
        connector = aiohttp.TCPConnector(limit=0, socket_factory=watched(self._addresses.open_socket))
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=self._limits.connect_timeout_s,
                sock_read=self._limits.read_timeout_s,
            ),
            request_class=WatchedRequest,
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

    @property
    def skew_s(self) -> float | None:
        """How far our clock is ahead of the last server's, to the second; None where it did not tell."""
        return None if self._dated is None else _skew_s(*self._dated)

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
            listener: Gets each piece of the body as it arrives, of a reply that fails half-way too; of one with
                status 200 only. What it raises comes out here, and the connection is closed.
        """
        refused = self._addresses.refusal(url)
        if refused:
            log.error("request to a forbidden address refused", extra={"host": url.host, "reason": refused})
            return Fault(kind=ErrorKind.BAD_RESPONSE, detail=f"address refused: {refused}", sent=False)
        watch, left_s = Watch(self._clock), deadline.left_s()
        # aiohttp times the silence between two bytes; a head that drips one a second would never be silent for long.
        patience_s = min(left_s, self._limits.connect_timeout_s + self._limits.read_timeout_s)
        try:
            if not left_s:
                raise TimeoutError  # without so much as a connection
            async with asyncio.timeout(patience_s) as limit:
                every = self._headers(url, keyed, body) | dict(headers or {})
                response = await self._opened().request(method, url, data=body, headers=every, allow_redirects=False)
                watch.phase = Phase.READING
                limit.reschedule(asyncio.get_running_loop().time() + deadline.left_s())
                return await self._take(response, watch, listener)
        except TROUBLES as error:
            if type(error) is TimeoutError and watch.phase is not Phase.READING and patience_s < left_s:
                return Fault(kind=ErrorKind.TIMEOUT_READ, detail="the head of the reply only dripped", sent=True)
            meaning = meaning_of(error)
            return Fault(kind=meaning.kind(watch.phase), detail=meaning.detail, sent=watch.phase != Phase.CONNECTING)

    async def talk(self, url: URL, *, deadline: Deadline, interlocutor: Interlocutor) -> Reply | Fault:
        """A conversation over a WebSocket, until the interlocutor ends it, or why it broke off.

        Args:
            url: `http` or `https`; the secrets go along.
            deadline: For everything, connection to last message.
            interlocutor: Gets every message and gives what to answer.

        Returns:
            A reply of status 101 and without a body; of another one when the server did not want to talk.
        """
        refused = self._addresses.refusal(url)
        if refused:
            log.error("request to a forbidden address refused", extra={"host": url.host, "reason": refused})
            return Fault(kind=ErrorKind.BAD_RESPONSE, detail=f"address refused: {refused}", sent=False)
        watch = Watch(self._clock)
        try:
            if not deadline.left_s():
                raise TimeoutError
            async with asyncio.timeout(deadline.left_s()):
                return await self._converse(url, interlocutor, watch)
        except aiohttp.WSServerHandshakeError as refusal:
            return _reply(refusal.status, refusal.headers or {}, b"", watch)
        except TROUBLES as error:
            meaning = meaning_of(error)
            return Fault(kind=meaning.kind(watch.phase), detail=meaning.detail, sent=watch.phase != Phase.CONNECTING)

    async def _converse(self, url: URL, interlocutor: Interlocutor, watch: Watch) -> Reply | Fault:
        headers = self._headers(url, keyed=True, body=None)
        async with self._opened().ws_connect(
            url,
            headers=headers,
            timeout=aiohttp.ClientWSTimeout(ws_receive=self._limits.read_timeout_s, ws_close=_GOODBYE_S),
            max_msg_size=self._limits.max_reply_bytes,
        ) as socket:
            left = self._limits.max_reply_bytes
            while True:
                try:
                    message = await socket.receive()
                except TimeoutError:  # not the deadline's: that one would cancel us here
                    return Fault(kind=ErrorKind.TIMEOUT_READ, detail="the conversation stalled", sent=True)
                watch.phase = Phase.READING
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return _broken_off(message, socket.close_code)
                watch.first_byte_s = watch.elapsed_s() if watch.first_byte_s is None else watch.first_byte_s
                left -= len(message.data)
                if left < 0:
                    return self._too_large()
                answers = await interlocutor(message.data)
                if answers is None:
                    return _reply(101, {}, b"", watch)
                for answer in answers:
                    await socket.send_str(answer)

    def _headers(self, url: URL, keyed: bool, body: bytes | None) -> dict[str, str]:
        # Compression would let a small reply become a huge one; audio hardly shrinks anyway.
        headers = {"Accept-Encoding": "identity", "User-Agent": "voice-cutover", **outgoing_headers()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if keyed and url.origin() in self._origins:
            headers |= self._secrets
        return headers

    async def _take(self, response: aiohttp.ClientResponse, watch: Watch, listener: Listener | None) -> Reply | Fault:
        """The reply, of which the head is here."""
        async with response:
            content = await self._read(response, watch, listener)
            if isinstance(content, Fault):
                response.close()  # what is left of the reply is not worth reading to the end
                return content
            self._dated = response.headers.get("Date"), self._clock.now()
            return _reply(response.status, response.headers, content, watch)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the door is shut; use `async with`")
        return self._session

    def _too_large(self) -> Fault:
        detail = f"the reply is larger than {self._limits.max_reply_bytes} bytes"
        return Fault(kind=ErrorKind.TOO_LARGE, detail=detail, sent=True)

    async def _read(self, response: aiohttp.ClientResponse, watch: Watch, listener: Listener | None) -> bytes | Fault:
        """The body, as far as the limits allow."""
        content = io.BytesIO()  # copies each byte once; a bytearray would once more in the end
        cap = self._limits.max_reply_bytes
        listening_s = 0.0
        if (response.content_length or 0) > cap:
            return self._too_large()
        async for chunk in response.content.iter_any():
            if watch.first_byte_s is None:
                watch.first_byte_s = watch.elapsed_s()
            content.write(chunk)
            if content.tell() > cap:
                return self._too_large()
            if listener is not None and response.status == 200:
                heard_from_s = watch.elapsed_s()
                await listener(response.content_type, chunk)
                listening_s += watch.elapsed_s() - heard_from_s  # not the provider's slowness
            reading_s = watch.elapsed_s() - watch.first_byte_s - listening_s
            if reading_s > self._limits.read_timeout_s and content.tell() < reading_s * _SLOWEST_BYTES_PER_S:
                return Fault(kind=ErrorKind.TIMEOUT_READ, detail="the reply only dripped", sent=True)
        return content.getvalue()


def _reply(status: int, headers: Mapping[str, str], body: bytes, watch: Watch) -> Reply:
    return Reply(
        status=status,
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
        started_s=watch.started_s,
        connect_s=watch.connect_s,
        first_byte_s=watch.first_byte_s,
        total_s=watch.elapsed_s(),
    )


def _skew_s(date: str | None, now: datetime) -> float | None:
    """Seconds from a server's time to ours; None when it does not tell its own."""
    try:
        return (now - parsedate_to_datetime(date or "")).total_seconds()
    except (TypeError, ValueError, IndexError, OverflowError):  # none, nonsense, or a time of no zone
        return None


def _broken_off(message: aiohttp.WSMessage, close_code: int | None) -> Fault:
    """Why a conversation ended that was not over."""
    if close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        return Fault(kind=ErrorKind.TOO_LARGE, detail="a message passed the size cap", sent=True)
    if message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.ERROR):
        return Fault(kind=ErrorKind.BAD_RESPONSE, detail="a message is not text", sent=True)
    return Fault(kind=ErrorKind.CONN_RESET, detail=f"the conversation was closed (code {close_code})", sent=True)


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
