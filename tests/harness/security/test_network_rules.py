import ast

import pytest

from harness.security.network_rules import followed_redirects, unchecked_certificates, ways_out


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\naiohttp.ClientSession()",
        "from aiohttp import ClientSession\nClientSession()",
        "from urllib.request import urlopen",
        "import urllib.request\nurllib.request.urlopen('x')",
        "import requests",
        "import requests.sessions as s",
        "from httpx import get",
        "import socket\nsocket.socket()",
        "import asyncio\nasyncio.open_connection('h', 1)",
        "async def f(s):\n    async with s.ws_connect('u'):\n        pass",
    ],
)
def test_a_way_out_is_seen(source: str) -> None:
    assert list(ways_out(ast.parse(source)))


@pytest.mark.parametrize("source", ["import socket\nx: socket.socket", "from aiohttp import web\nweb.Application()"])
def test_what_only_listens_or_names_a_type_is_no_way_out(source: str) -> None:
    assert list(ways_out(ast.parse(source))) == []


@pytest.mark.parametrize(
    "source",
    [
        "s.request('GET', u, allow_redirects=True)",
        "s.request('GET', u)",
        "session.get(u)",
        "self._session.post(u, data=b'')",
        "s.request('GET', u, allow_redirects=follow)",
    ],
)
def test_a_request_whose_redirects_could_be_followed_is_seen(source: str) -> None:
    assert list(followed_redirects(ast.parse(source)))


@pytest.mark.parametrize("source", ["s.request('GET', u, allow_redirects=False)", "settings.get('x')", "d.request()"])
def test_a_request_that_follows_none_is_fine(source: str) -> None:
    assert list(followed_redirects(ast.parse(source))) == []


@pytest.mark.parametrize(
    "source",
    [
        "s.get(u, ssl=False)",
        "aiohttp.TCPConnector(verify_ssl=False)",
        "requests.get(u, verify=False)",
        "c = ssl._create_unverified_context()",
        "c.verify_mode = ssl.CERT_NONE",
        "c.check_hostname = False",
        "ssl.SSLContext(ssl.PROTOCOL_TLSv1)",
        "c.minimum_version = ssl.TLSVersion.TLSv1_1",
        "c.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED",
    ],
)
def test_a_certificate_that_nobody_checks_is_seen(source: str) -> None:
    assert list(unchecked_certificates(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "ssl.create_default_context()",
        "c.minimum_version = ssl.TLSVersion.TLSv1_3",
        "f(ssl=True)",
        "except_ = ssl.SSLError",
    ],
)
def test_tls_as_it_should_be_is_fine(source: str) -> None:
    assert list(unchecked_certificates(ast.parse(source))) == []


def test_a_breach_tells_line_expression_and_remedy() -> None:
    (breach,) = ways_out(ast.parse("\nx = aiohttp.ClientSession()"))

    assert (breach.line, breach.expression) == (2, "aiohttp.ClientSession")
    assert breach.message.endswith("send it through harness/providers/door.py")
