"""S8-03: what a transport raises holds our request, and none of that is in what we make of it."""

import pickle
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from harness.clock import FakeClock, SystemClock
from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from harness.providers.door import Door, Fault, Limits
from tests.canaries import QWEN_KEY, Canary, sightings

KEY = Canary("the key", QWEN_KEY)
SIGNATURE = Canary("the signature", "SiGnEd+7/errors/0123456789abcdef=")
ORIGIN = URL("https://dashscope-intl.aliyuncs.com")
SIGNED = URL(f"{ORIGIN}/x.wav?Signature={SIGNATURE.value}", encoded=True)
CONNECTION = ConnectionKey("dashscope-intl.aliyuncs.com", 443, True, True, None, None, None)


def errors() -> Iterator[Any]:
    """One of each family, holding all that aiohttp puts into it."""
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {KEY.value}"}))
    request = aiohttp.RequestInfo(SIGNED, "GET", headers, SIGNED)
    said = f"{SIGNED} refused {KEY.value}"
    families = (
        aiohttp.ClientResponseError,
        aiohttp.ContentTypeError,
        aiohttp.WSServerHandshakeError,
        aiohttp.TooManyRedirects,
        aiohttp.ClientHttpProxyError,
    )
    for family in families:
        yield pytest.param(family(request, (), status=403, message=said, headers=headers), id=family.__name__)
    refused = ConnectionRefusedError(111, said)
    for connector in (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError, aiohttp.ClientConnectorSSLError):
        yield pytest.param(connector(CONNECTION, refused), id=connector.__name__)
    for url_error in (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        yield pytest.param(url_error(SIGNED, said), id=url_error.__name__)
    for plain in (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, OSError):
        yield pytest.param(plain(said), id=plain.__name__)


@pytest.mark.parametrize("error", list(errors()))
async def test_no_error_of_a_transport_brings_its_request_along(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    door = Door(
        origin=ORIGIN,
        addresses=Addresses(origin=ORIGIN, hosts=None, allow_hosts=()),
        secrets={"Authorization": f"Bearer {KEY.value}"},
        limits=Limits(connect_timeout_s=1.0, read_timeout_s=1.0, max_reply_bytes=1_000),
        clock=FakeClock(),
    )

    async def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(aiohttp.ClientSession, "_request", fails)
    async with door:
        fault = await door.send("GET", SIGNED, deadline=Deadline(SystemClock(), 5.0), keyed=True)

    assert isinstance(fault, Fault)
    held = f"{error!r} {getattr(error, 'request_info', '')} {error.args}"
    assert sightings([KEY, SIGNATURE], [("the error", held.encode())]), "it holds nothing that could have come along"
    told = [("shown", f"{fault} {fault!r} {fault.detail}".encode()), ("pickled", pickle.dumps(fault))]
    logged = [("log", repr([record.__dict__ for record in caplog.records]).encode())]
    assert sightings([KEY, SIGNATURE], [*told, *logged]) == []
