"""What a broken connection means: every exception of aiohttp as an `ErrorKind`, by how far the request had got.

The exceptions themselves go no further: `repr()` of one holds the key, `str()` of another the signed address.
"""

import asyncio
import ssl
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from harness.errors import ErrorKind

__all__ = ["MEANINGS", "TROUBLES", "ForbiddenAddress", "Meaning", "Phase", "meaning_of"]


class Phase(StrEnum):
    """How far a request had got when it failed."""

    CONNECTING = "connecting"  # no byte of it has left
    WAITING = "waiting"  # a connection exists: it may have arrived, nothing came back
    READING = "reading"  # the reply had begun


class ForbiddenAddress(OSError):
    """A host name led to an address that no provider can have; see addresses.py."""


class Meaning(NamedTuple):
    """What one exception stands for, by phase, and in words."""

    connecting: ErrorKind
    waiting: ErrorKind
    reading: ErrorKind
    detail: str

    def kind(self, phase: Phase) -> ErrorKind:
        """The kind of failure at that point."""
        return {Phase.CONNECTING: self.connecting, Phase.WAITING: self.waiting, Phase.READING: self.reading}[phase]


def _always(kind: ErrorKind, detail: str) -> Meaning:
    return Meaning(kind, kind, kind, detail)


_NAME = _always(ErrorKind.DNS, "the host name did not resolve")
_FORBIDDEN = _always(ErrorKind.DNS, "the host name resolved to an address that is not public")
_CERTIFICATE = _always(ErrorKind.TLS, "the certificate was refused")
_HANDSHAKE = _always(ErrorKind.TLS, "no encrypted connection could be agreed on")
_CONNECT_LATE = _always(ErrorKind.TIMEOUT_CONNECT, "no connection in time")
_READ_LATE = _always(ErrorKind.TIMEOUT_READ, "the reply stalled")
_DEADLINE = _always(ErrorKind.TIMEOUT_TOTAL, "the deadline passed")
# Once the request may have arrived, a connection that ends without a byte leaves open whether it was worked on.
_BROKEN = Meaning(ErrorKind.CONN_RESET, ErrorKind.UNKNOWN_OUTCOME, ErrorKind.CONN_RESET, "the connection broke")
_CUT = _always(ErrorKind.CONN_RESET, "the reply ended before it was complete")
_GARBLED = _always(ErrorKind.BAD_RESPONSE, "the reply is not valid HTTP")
_OURS = _always(ErrorKind.INTERNAL, "the request could not be built")

TROUBLES: Final = (aiohttp.ClientError, OSError, HttpProcessingError)  # what a connection may raise
MEANINGS: Final = MappingProxyType(
    {
        # Before a connection exists.
        ForbiddenAddress: _FORBIDDEN,
        aiohttp.ClientConnectorDNSError: _NAME,
        aiohttp.ConnectionTimeoutError: _CONNECT_LATE,
        aiohttp.ClientConnectorCertificateError: _CERTIFICATE,
        aiohttp.ServerFingerprintMismatch: _CERTIFICATE,
        aiohttp.ClientConnectorSSLError: _HANDSHAKE,
        aiohttp.ClientSSLError: _HANDSHAKE,
        ssl.SSLError: _HANDSHAKE,
        aiohttp.ClientConnectorError: _BROKEN,  # refused, unreachable
        aiohttp.ClientProxyConnectionError: _BROKEN,
        UnixClientConnectorError: _BROKEN,
        # While it is in use.
        asyncio.TimeoutError: _DEADLINE,  # ours: aiohttp's own are subclasses, found first
        aiohttp.SocketTimeoutError: _READ_LATE,
        aiohttp.ServerTimeoutError: _READ_LATE,
        aiohttp.ServerDisconnectedError: _BROKEN,
        aiohttp.ServerConnectionError: _BROKEN,
        aiohttp.ClientConnectionResetError: _BROKEN,
        aiohttp.ClientOSError: _BROKEN,
        aiohttp.ClientConnectionError: _BROKEN,
        OSError: _BROKEN,
        # The reply itself.
        aiohttp.ClientPayloadError: _CUT,
        ContentEncodingError: _GARBLED,  # a cause of the one above
        HttpProcessingError: _GARBLED,  # of the parser; aiohttp means to wrap every one of them
        aiohttp.ClientResponseError: _GARBLED,
        aiohttp.ContentTypeError: _GARBLED,
        # Of a WebSocket's handshake, which is all that follows redirects, to where nothing can be asked for.
        aiohttp.InvalidUrlRedirectClientError: _GARBLED,
        aiohttp.NonHttpUrlRedirectClientError: _GARBLED,
        aiohttp.RedirectClientError: _GARBLED,
        aiohttp.TooManyRedirects: _GARBLED,
        aiohttp.ClientHttpProxyError: _GARBLED,
        aiohttp.WSServerHandshakeError: _GARBLED,
        # Addresses are checked before aiohttp sees them, so these would be our own mistake.
        aiohttp.InvalidURL: _OURS,
        aiohttp.InvalidUrlClientError: _OURS,
        aiohttp.NonHttpUrlClientError: _OURS,
        aiohttp.UploadAbortedError: _OURS,
        aiohttp.ClientError: _BROKEN,  # one of a later aiohttp
    }
)


def meaning_of(error: aiohttp.ClientError | OSError | HttpProcessingError) -> Meaning:
    """What `error` stands for: its own entry in the table, else that of its nearest ancestor."""
    telling: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ForbiddenAddress):
        telling = error.os_error
    elif isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        telling = error.__cause__
    return next(MEANINGS[ancestor] for ancestor in type(telling).__mro__ if ancestor in MEANINGS)
