"""F24 of the fault matrix (reliability.md, section 3): a server that proves nothing hears nothing."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp.connector
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harness.clock import FakeClock
from harness.exchanges import Exchange
from harness.providers.base import Deadline
from tests.builders import a_request
from tests.faulted import VIVIAN, nothing_left, open_provider
from tests.harness.providers.stubs import Till
from tests.virtual_time import VirtualClock

DAY = timedelta(days=1)


class Authority:
    """Signs certificates of servers; trusted where its file is loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority of this test")])
        certificate = self._built(self._name, self._key.public_key(), days=1, is_authority=True).sign(
            self._key, hashes.SHA256()
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def server(self, *, host: str = "127.0.0.1", days: int = 1, own_key: bool = False) -> ssl.SSLContext:
        """What a server needs that calls itself `host`; `own_key` makes it its own authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A server")])
        name = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        builder = self._built(subject if own_key else self._name, key.public_key(), days=days, subject=subject)
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        certificate = builder.sign(key if own_key else self._key, hashes.SHA256())
        chain = self._folder / "server.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _built(
        self,
        issuer: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        days: int,
        subject: x509.Name | None = None,
        is_authority: bool = False,
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(subject or issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that the client trusts, as it trusts those of its system; it verifies as it always does."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=str(authority.file))
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)
    return authority


@asynccontextmanager
async def a_tls_server(context: ssl.SSLContext | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Its address and what it was told; without a context it takes the connection and says nothing."""
    told: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if context is None:
            await reader.read()
            return
        told.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", told
    finally:
        for writer in writers:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


async def asked(address: str, folder: Path, till: Till) -> Exchange:
    provider = open_provider("modal", address, folder, clock=FakeClock(), connect_timeout_s=0.3)
    async with provider:
        return await provider.synthesize(
            a_request(voice=VIVIAN), admission=till, deadline=Deadline(VirtualClock(), 10.0)
        )


async def test_a_server_with_a_good_certificate_is_talked_to(authority: Authority, tmp_path: Path) -> None:
    async with a_tls_server(authority.server()) as (address, told):
        exchange = await asked(address, tmp_path, Till())

    assert exchange.outcome == "model_retired"  # its 404
    assert len(told) == 1


@pytest.mark.parametrize(
    "server",
    [
        pytest.param({"own_key": True}, id="F24 signed by itself"),
        pytest.param({"days": -1}, id="F24 expired"),
        pytest.param({"host": "dashscope.example"}, id="F24 another name"),
        pytest.param({"host": "127.0.0.2"}, id="F24 another address"),
    ],
)
async def test_a_server_with_a_bad_certificate_hears_nothing_and_is_not_asked_again(
    authority: Authority, tmp_path: Path, server: dict[str, object]
) -> None:
    till = Till()
    async with nothing_left(), a_tls_server(authority.server(**server)) as (address, told):  # type: ignore[arg-type]
        exchange = await asked(address, tmp_path, till)

    assert (exchange.outcome, exchange.attempts, till.amounts) == ("tls", 1, [0])
    assert told == []


async def test_f24_a_handshake_that_stalls_is_tried_again(authority: Authority, tmp_path: Path) -> None:
    till = Till()
    async with nothing_left(), a_tls_server(None) as (address, _):
        exchange = await asked(address, tmp_path, till)

    assert (exchange.outcome, exchange.attempts, till.amounts) == ("timeout_connect", 2, [0, 0])
