import inspect
import ssl
from types import ModuleType
from typing import Any

import aiohttp
import aiohttp.client_exceptions
import aiohttp.http_exceptions
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from harness.errors import ErrorKind
from harness.providers.transport import MEANINGS, TROUBLES, ForbiddenAddress, Phase, meaning_of


def exceptions_in(*modules: ModuleType, base: type[Exception]) -> list[type[Exception]]:
    found = {value for module in modules for value in [*vars(module).values()] if inspect.isclass(value)}
    return sorted((each for each in found if issubclass(each, base)), key=lambda each: each.__name__)


PUBLIC = exceptions_in(aiohttp, aiohttp.client_exceptions, base=aiohttp.ClientError)
PARSER = exceptions_in(aiohttp.http_exceptions, base=HttpProcessingError)
KEY = ConnectionKey("host", 443, True, True, None, None, None)


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_client_exception_of_aiohttp_has_an_entry_of_its_own(kind: type[aiohttp.ClientError]) -> None:
    assert kind in MEANINGS


@pytest.mark.parametrize("kind", PARSER, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_parser_is_caught_and_means_a_bad_reply(kind: type[HttpProcessingError]) -> None:
    assert issubclass(kind, TROUBLES)
    assert next(MEANINGS[each] for each in kind.__mro__ if each in MEANINGS).reading is ErrorKind.BAD_RESPONSE


def test_every_trouble_of_a_connection_has_a_meaning() -> None:
    assert all(issubclass(kind, TROUBLES) for kind in MEANINGS)
    assert all(kind in MEANINGS for kind in TROUBLES)


def test_the_enumeration_sees_aiohttps_exceptions() -> None:
    assert len(PUBLIC) > 25
    assert len(PARSER) > 8
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
