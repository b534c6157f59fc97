"""S8-07: a server that can do no better than TLS 1.1 is not talked to."""

import asyncio
import ssl
import warnings
from pathlib import Path

import pytest
from yarl import URL

from tests.faulted import nothing_left
from tests.harness.providers.stubs import Till
from tests.test_faults_tls import Authority, a_tls_server, asked, authority

__all__ = ["authority"]  # the fixture


def no_better_than(server: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server of that age: its library would refuse old versions unless it is told not to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        server.maximum_version = version
    server.set_ciphers("ALL:@SECLEVEL=0")
    return server


async def an_old_client(address: str) -> None:
    """Ask as software of that age would."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    url = URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_a_server_that_speaks_no_modern_tls_hears_nothing(
    authority: Authority,
    tmp_path: Path,
    version: str,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server = no_better_than(authority.server(), ssl.TLSVersion[version])
    till = Till()

    async with nothing_left(), a_tls_server(server) as (address, told):
        exchange = await asked(address, tmp_path, till)
        heard_by_us = list(told)
        await an_old_client(address)  # the server does speak, and it is our client that will not

    assert exchange.outcome in ("tls", "conn_reset")  # some servers hang up instead of saying why
    assert set(till.amounts) == {0}
    assert heard_by_us == []
    assert len(told) == 1


async def test_the_same_server_is_talked_to_once_it_speaks_1_2(
    authority: Authority,
    tmp_path: Path,
) -> None:
    async with a_tls_server(no_better_than(authority.server(), ssl.TLSVersion.TLSv1_2)) as (address, told):
        await asked(address, tmp_path, Till())

    assert len(told) == 1
