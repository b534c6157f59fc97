"""Addresses that a provider, its DNS or a redirect may name and that must not be reached: no socket is opened for any.

The whole clients run here, as they do in production; sockets are counted where they are made (reliability.md M8, T3).
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.clock import FakeClock, SystemClock
from harness.exchanges import Exchange, Failure
from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from tests.builders import a_request
from tests.faulted import VIVIAN, open_provider
from tests.harness.providers.stubs import Script, Till, a_server, connections, says, sends

OSS = "dashscope-result-bj.oss-cn-beijing.aliyuncs.com"
API = "dashscope-intl.aliyuncs.com"

HOSTILE = {
    # this machine
    "loopback": "https://127.0.0.1/x.wav",
    "loopback at another port": "http://127.0.0.1:8103/x.wav",
    "loopback, all of its network": "https://127.8.8.8/x.wav",
    "loopback in octal": "https://0177.0.0.1/x.wav",
    "loopback in hex": "https://0x7f.0.0.1/x.wav",
    "loopback as one hex number": "https://0x7f000001/x.wav",
    "loopback as one decimal number": "https://2130706433/x.wav",
    "loopback, short": "https://127.1/x.wav",
    "loopback in full-width digits": "https://１２７.0.0.1/x.wav",
    "loopback in circled digits": "https://①②⑦.0.0.1/x.wav",
    "loopback, version 6": "https://[::1]/x.wav",
    "loopback, mapped": "https://[::ffff:127.0.0.1]/x.wav",
    "loopback, mapped in hex": "https://[::ffff:7f00:1]/x.wav",
    "loopback, compatible": "https://[::127.0.0.1]/x.wav",
    "localhost": "https://localhost/x.wav",
    "localhost with a dot": "https://localhost./x.wav",
    "a name below localhost": "https://x.localhost/x.wav",
    "unspecified": "https://0.0.0.0/x.wav",
    "unspecified as zero": "https://0/x.wav",
    "unspecified, version 6": "https://[::]/x.wav",
    # the cloud and the network around us
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata, encrypted": "https://169.254.169.254/x.wav",
    "metadata as one number": "https://2852039166/x.wav",
    "metadata in hex": "https://0xa9fea9fe/x.wav",
    "metadata in octal": "https://0251.0376.0251.0376/x.wav",
    "metadata, mapped": "https://[::ffff:169.254.169.254]/x.wav",
    "metadata behind NAT64": "https://[64:ff9b::a9fe:a9fe]/x.wav",
    "metadata in 6to4": "https://[2002:a9fe:a9fe::]/x.wav",
    "metadata of Amazon, version 6": "https://[fd00:ec2::254]/x.wav",
    "metadata of Alibaba": "https://100.100.100.200/latest/meta-data/",
    "metadata of Google by name": "http://metadata.google.internal/computeMetadata/v1/",
    "metadata by its old name": "http://instance-data/latest/meta-data/",
    "link-local, version 6": "https://[fe80::1]/x.wav",
    "link-local with a zone": "https://[fe80::1%25eth0]/x.wav",
    "private 10": "https://10.0.0.1/x.wav",
    "private 172.16": "https://172.16.0.1/x.wav",
    "private 192.168": "https://192.168.1.1/x.wav",
    "unique local, version 6": "https://[fc00::1]/x.wav",
    "multicast": "https://224.0.0.1/x.wav",
    "broadcast": "https://255.255.255.255/x.wav",
    # somebody else
    "a foreign host": "https://evil.example/x.wav",
    "a public address": "https://8.8.8.8/x.wav",
    "our host as a subdomain": f"https://{OSS}.evil.example/x.wav",
    "our domain as a subdomain": "https://aliyuncs.com.evil.example/x.wav",
    "a prefix before ours": f"https://evil-{OSS}/x.wav",
    "somebody else's bucket": "https://bucket.oss-cn-beijing.aliyuncs.com/x.wav",
    "our host as user name": f"https://{OSS}@evil.example/x.wav",
    "our host as user name and port": f"https://{OSS}:443@evil.example/x.wav",
    "user name and password": f"https://user:secret@{OSS}/x.wav",
    "our host in the fragment": f"https://evil.example#@{OSS}/x.wav",
    "our host in the query": f"https://evil.example?{OSS}/x.wav",
    "a backslash": f"https://evil.example\\@{OSS}/x.wav",
    "an encoded dot": f"https://{OSS}%2eevil.example/x.wav",
    "an encoded zero": f"https://evil.example%00.{OSS}/x.wav",
    "a trailing dot": f"https://{OSS}./x.wav",
    "an ideographic dot": f"https://{OSS.replace('.', '。')}/x.wav",
    "a cyrillic a": f"https://{OSS.replace('aliyuncs', 'аliyuncs')}/x.wav",
    "punycode of that": "https://dashscope-result-bj.oss-cn-beijing.xn--liyuncs-5fg.com/x.wav",
    "another port": f"https://{OSS}:8443/x.wav",
    "port nought": f"https://{OSS}:0/x.wav",
    # no web address
    "file": "file:///etc/passwd",
    "ftp": f"ftp://{OSS}/x.wav",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "data": "data:audio/wav;base64,AAAA",
    "a WebSocket": f"wss://{OSS}/x.wav",
    "no scheme": f"//{OSS}/x.wav",
    "a line break": f"https://{OSS}/x.wav\r\nHost: evil.example",
    "a port out of range": f"https://{OSS}:99999/x.wav",
}
# What a name on the list may be made to resolve to.
INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every address a client made a socket for."""
    found: list[tuple[str, int]] = []
    make = Addresses.open_socket

    def counted(self: Addresses, info: Any) -> socket.socket:
        made = make(self, info)
        found.append((str(info[4][0]), int(info[4][1])))
        return made

    monkeypatch.setattr(Addresses, "open_socket", counted)
    return found


async def asked(
    name: str, address: str, folder: Path, *, also: str | None = None, stream: bool = False, **settings: Any
) -> Exchange:
    provider = open_provider(name, address, folder, also=also, clock=FakeClock(), max_attempts=2, **settings)
    request = a_request(voice=VIVIAN, stream=stream) if name == "modal" else a_request(stream=stream)
    async with provider:
        return await provider.synthesize(request, admission=Till(), deadline=Deadline(SystemClock(), 10.0))


def its_own(server: Script) -> set[tuple[str, int]]:
    host, _, port = server.authority.rpartition(":")
    return {(host, int(port))}


def audio_at(url: str) -> dict[str, Any]:
    return {"output": {"audio": {"url": url}, "finish_reason": "stop"}, "usage": {"characters": 13}, "request_id": "r"}


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE.keys())
async def test_an_audio_address_that_is_hostile_opens_no_socket_and_asks_for_no_name(
    url: str, tmp_path: Path, opened: list[tuple[str, int]]
) -> None:
    async with a_server(says(audio_at(url))) as api:
        with connections() as made:
            exchange = await asked("qwen", api.url, tmp_path, delivery="file")

    assert isinstance(exchange.result, Failure)
    assert exchange.result.code == "local.audio_address"
    assert set(opened) == its_own(api)
    assert _asked_for(made) <= {"127.0.0.1"}
    assert url not in exchange.result.detail


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_redirect_to_a_hostile_address_opens_no_socket(
    url: str, tmp_path: Path, opened: list[tuple[str, int]]
) -> None:
    location = url.replace("\r\n", "%0d%0a").encode("ascii", "ignore").decode()  # as far as a header can carry it
    redirects = [sends(b"", status, Location=location) for status in (302, 303, 307)]
    async with a_server(*redirects) as api, a_server(*redirects) as audio, a_server(*redirects) as modal:
        with connections() as made:
            exchanges = [
                await asked("qwen", api.url, tmp_path, stream=stream, delivery=delivery)
                for delivery, stream in (("file", False), ("stream", True), ("realtime", True))
            ]
            async with a_server(says(audio_at(f"{audio.url}/x.wav"))) as good:
                exchanges.append(await asked("qwen", good.url, tmp_path, also=audio.url, delivery="file"))
            exchanges += [await asked("modal", modal.url, tmp_path, dialect=each) for each in ("endpoints", "openai")]

    assert {exchange.outcome for exchange in exchanges} <= {"bad_response", "conn_reset"}
    assert set(opened) == its_own(api) | its_own(audio) | its_own(good) | its_own(modal)
    assert _asked_for(made) <= {"127.0.0.1"}


@contextmanager
def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> Iterator[list[str]]:
    """Every name leads to the first answer, the next time it is looked up to the second, and so on."""
    asked_for: list[str] = []

    async def resolve(host: str, port: int, **_: Any) -> Any:
        answer = answers[min(len(asked_for), len(answers) - 1)]
        asked_for.append(host)
        if ":" in answer:
            return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (answer, port, 0, 0))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        yield asked_for


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("delivery", ["file", "stream", "realtime"])
async def test_a_name_of_the_provider_that_leads_inside_opens_no_socket(
    address: str, delivery: str, tmp_path: Path, opened: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with resolving(monkeypatch, address) as asked_for:
        exchange = await asked("qwen", f"https://{API}", tmp_path, delivery=delivery)

    assert (exchange.outcome, opened) == ("dns", [])
    assert set(asked_for) == {API}
    assert exchange.cost.microusd == 0


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_of_the_audio_that_leads_inside_opens_no_socket(
    address: str, tmp_path: Path, opened: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_server(says(audio_at(f"http://{OSS}/x.wav?Signature=x"))) as api:
        with resolving(monkeypatch, address) as asked_for:
            exchange = await asked("qwen", api.url, tmp_path, delivery="file")

    assert (exchange.outcome, set(opened)) == ("dns", its_own(api))
    assert set(asked_for) == {OSS}


async def test_a_name_that_changes_its_mind_between_two_lookups_leads_nowhere_either(
    tmp_path: Path, opened: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with resolving(monkeypatch, "10.0.0.1", "169.254.169.254", "127.0.0.1"):
        exchange = await asked("qwen", f"https://{API}", tmp_path)

    assert (exchange.outcome, exchange.attempts, opened) == ("dns", 2, [])


def test_the_table_is_as_long_as_was_asked_for() -> None:
    assert len(HOSTILE) >= 40  # reliability.md, section 7
    assert len(set(HOSTILE.values())) == len(HOSTILE)


def _asked_for(made: list[Any]) -> set[str]:
    """Hosts that were connected to or looked up."""
    found = {arguments[0] if event == "socket.getaddrinfo" else arguments[0][0] for event, arguments in made}
    return {str(host) for host in found}
