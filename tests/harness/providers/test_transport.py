import inspect
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import ContentEncodingError

from harness.errors import ErrorKind
from harness.providers.transport import MEANINGS, ForbiddenAddress, Phase, meaning_of

PUBLIC = sorted(
    {
        value
        for name, value in vars(aiohttp).items()
        if not name.startswith("_") and inspect.isclass(value) and issubclass(value, aiohttp.ClientError)
    },
    key=lambda found: found.__name__,
)
KEY = ConnectionKey("host", 443, True, True, None, None, None)


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_client_exception_of_aiohttp_has_an_entry_of_its_own(kind: type[aiohttp.ClientError]) -> None:
    assert kind in MEANINGS


def test_the_enumeration_sees_aiohttps_exceptions() -> None:
    assert len(PUBLIC) > 20
    assert aiohttp.ServerDisconnectedError in PUBLIC


def connector(error: OSError) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, error)


def encoding_error() -> aiohttp.ClientPayloadError:
    error = aiohttp.ClientPayloadError("400, message: ...")
    error.__cause__ = ContentEncodingError("gzip")
    return error


CONNECTING, WAITING, READING = Phase.CONNECTING, Phase.WAITING, Phase.READING


@pytest.mark.parametrize(
    ("error", "phase", "kind"),
    [
        pytest.param(connector(ConnectionRefusedError(111, "no")), CONNECTING, ErrorKind.CONN_RESET, id="refused"),
        pytest.param(connector(ForbiddenAddress(13, "no")), CONNECTING, ErrorKind.DNS, id="not public"),
        pytest.param(aiohttp.ClientConnectorDNSError(KEY, OSError()), CONNECTING, ErrorKind.DNS, id="no such name"),
        pytest.param(
            aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError()),
            CONNECTING,
            ErrorKind.TLS,
            id="certificate",
        ),
        pytest.param(aiohttp.ClientConnectorSSLError(KEY, OSError()), CONNECTING, ErrorKind.TLS, id="handshake"),
        pytest.param(aiohttp.ConnectionTimeoutError(), CONNECTING, ErrorKind.TIMEOUT_CONNECT, id="connect hangs"),
        pytest.param(aiohttp.SocketTimeoutError(), WAITING, ErrorKind.TIMEOUT_READ, id="no reply"),
        pytest.param(aiohttp.SocketTimeoutError(), READING, ErrorKind.TIMEOUT_READ, id="reply stalls"),
        pytest.param(TimeoutError(), CONNECTING, ErrorKind.TIMEOUT_TOTAL, id="deadline while connecting"),
        pytest.param(TimeoutError(), READING, ErrorKind.TIMEOUT_TOTAL, id="deadline while reading"),
        pytest.param(aiohttp.ServerDisconnectedError(), WAITING, ErrorKind.UNKNOWN_OUTCOME, id="closed unanswered"),
        pytest.param(aiohttp.ClientOSError(104, "reset"), WAITING, ErrorKind.UNKNOWN_OUTCOME, id="reset unanswered"),
        pytest.param(aiohttp.ClientOSError(104, "reset"), READING, ErrorKind.CONN_RESET, id="reset midway"),
        pytest.param(ConnectionResetError(104, "reset"), READING, ErrorKind.CONN_RESET, id="reset, bare"),
        pytest.param(aiohttp.ClientPayloadError("short"), READING, ErrorKind.CONN_RESET, id="cut body"),
        pytest.param(encoding_error(), READING, ErrorKind.BAD_RESPONSE, id="broken compression"),
        pytest.param(aiohttp.ClientError(), WAITING, ErrorKind.UNKNOWN_OUTCOME, id="one we do not know"),
        pytest.param(ssl.SSLError(), CONNECTING, ErrorKind.TLS, id="encryption"),
    ],
)
def test_an_exception_means_what_its_moment_makes_of_it(error: Any, phase: Phase, kind: ErrorKind) -> None:
    assert meaning_of(error).kind(phase) is kind


def test_a_subclass_that_is_not_listed_means_what_its_parent_means() -> None:
    class LaterError(aiohttp.SocketTimeoutError):
        pass

    assert meaning_of(LaterError()) is MEANINGS[aiohttp.SocketTimeoutError]
