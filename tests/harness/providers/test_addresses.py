import socket

import pytest
from yarl import URL

from harness.errors import ConfigError
from harness.providers.addresses import Addresses, base_url
from harness.providers.transport import ForbiddenAddress

OSS = "dashscope-result-bj.oss-cn-beijing.aliyuncs.com"
HOSTS = r"dashscope-result-[a-z0-9-]+\.oss-[a-z0-9-]+\.aliyuncs\.com"


@pytest.fixture
def addresses() -> Addresses:
    return Addresses(
        origin=URL("https://dashscope-intl.aliyuncs.com"), hosts=HOSTS, allow_hosts={"127.0.0.1:8101", "[::1]:8102"}
    )


def info(host: str, port: int = 443) -> tuple[int, int, int, str, tuple[object, ...]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0) if ":" in host else (host, port))


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("http://169.254.169.254/latest/meta-data", id="cloud metadata"),
        pytest.param("https://169.254.169.254/x.wav", id="cloud metadata, encrypted"),
        pytest.param("https://127.0.0.1/x.wav", id="loopback"),
        pytest.param("http://127.0.0.1:8103/x.wav", id="another port of this machine"),
        pytest.param("https://localhost/x.wav", id="this machine by name"),
        pytest.param("https://[::1]/x.wav", id="loopback, version 6"),
        pytest.param("https://[::ffff:127.0.0.1]/x.wav", id="loopback, mapped"),
        pytest.param("https://2130706433/x.wav", id="loopback as one number"),
        pytest.param("https://0x7f.1/x.wav", id="loopback in hex"),
        pytest.param("https://0177.0.0.1/x.wav", id="loopback in octal"),
        pytest.param("https://10.0.0.1/x.wav", id="private network"),
        pytest.param("https://0.0.0.0/x.wav", id="unspecified"),
        pytest.param("https://example.com/x.wav", id="foreign host"),
        pytest.param(f"https://{OSS}.evil.example/x.wav", id="our host as a subdomain"),
        pytest.param("https://evil-dashscope-result-bj.oss-cn-beijing.aliyuncs.com/x.wav", id="prefix before ours"),
        pytest.param("https://aliyuncs.com.evil.example/x.wav", id="aliyuncs.com.evil"),
        pytest.param("https://bucket.oss-cn-beijing.aliyuncs.com/x.wav", id="somebody else's bucket"),
        pytest.param(f"https://{OSS}@evil.example/x.wav", id="our host as user name"),
        pytest.param(f"https://user:secret@{OSS}/x.wav", id="user name and password"),
        pytest.param(f"https://evil.example\\@{OSS}/x.wav", id="backslash"),
        pytest.param(f"https://{OSS}./x.wav", id="trailing dot"),
        pytest.param("https://dashscope-result-bj。oss-cn-beijing.aliyuncs.com/x.wav", id="ideographic dot"),
        pytest.param("https://dashscope-result-bj.oss-cn-beijing.аliyuncs.com/x.wav", id="cyrillic a"),
        pytest.param(f"https://{OSS}:8443/x.wav", id="another port"),
        pytest.param(f"http://{OSS}:8080/x.wav", id="another port, unencrypted"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param(f"ftp://{OSS}/x.wav", id="ftp"),
        pytest.param("gopher://127.0.0.1:8101/_x", id="gopher at an allowed port"),
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("data:audio/wav;base64,AAAA", id="data"),
        pytest.param(f"//{OSS}/x.wav", id="no scheme"),
        pytest.param("/x.wav", id="only a path"),
        pytest.param(f"https://{OSS}/x.wav\r\nX-Evil: 1", id="line break"),
        pytest.param(f"https://{OSS}/a b.wav", id="blank"),
        pytest.param(f"https://{OSS}/\u202ex.wav", id="bidi control"),
        pytest.param("https://[::1", id="unclosed bracket"),
        pytest.param(f"https://{OSS}:99999/x.wav", id="port out of range"),
        pytest.param("", id="empty"),
    ],
)
def test_a_hostile_audio_address_is_refused_with_a_reason(addresses: Addresses, address: str) -> None:
    refused = addresses.audio_url(address)

    assert isinstance(refused, str)
    assert refused.startswith("it")


def test_a_plain_http_audio_address_is_asked_for_encrypted_and_otherwise_unchanged(addresses: Addresses) -> None:
    signed = f"{OSS}/1d/9a/x.wav?Expires=1770650166&OSSAccessKeyId=X&Signature=a%2Bb%3D%3D"

    url = addresses.audio_url(f"http://{signed}")

    assert str(url) == f"https://{signed}"


def test_a_stand_in_that_was_allowed_is_reached_without_encryption(addresses: Addresses) -> None:
    url = addresses.audio_url("http://127.0.0.1:8101/audio/x.wav?Signature=a%2Bb")

    assert str(url) == "http://127.0.0.1:8101/audio/x.wav?Signature=a%2Bb"


def test_the_api_itself_may_be_asked_and_its_unencrypted_twin_may_not(addresses: Addresses) -> None:
    assert addresses.refusal(URL("https://dashscope-intl.aliyuncs.com/api/v1/x")) is None
    assert addresses.refusal(URL("http://dashscope-intl.aliyuncs.com/api/v1/x")) == "it is not encrypted"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",  # carrier-grade NAT: neither private nor global
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",  # 169.254.169.254 behind NAT64
        "2002:7f00:1::",  # 127.0.0.1 in 6to4
        "2001:0:a9fe:a9fe::1",  # teredo
        "2001:db8::1",
        "not-an-address",
    ],
)
def test_no_socket_is_made_for_an_address_that_is_not_public(addresses: Addresses, host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        addresses.open_socket(info(host))


@pytest.mark.parametrize("host", ["8.8.8.8", "47.74.138.66", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_a_public_address_gets_a_socket(addresses: Addresses, host: str) -> None:
    with addresses.open_socket(info(host)) as made:
        assert made.family == (socket.AF_INET6 if ":" in host else socket.AF_INET)


def test_loopback_gets_a_socket_only_at_the_port_that_was_allowed(addresses: Addresses) -> None:
    addresses.open_socket(info("127.0.0.1", 8101)).close()
    addresses.open_socket(info("::1", 8102)).close()

    with pytest.raises(ForbiddenAddress):
        addresses.open_socket(info("127.0.0.1", 8102))


def test_localhost_stands_for_both_loopback_addresses() -> None:
    addresses = Addresses(origin=URL("https://example.com"), hosts=None, allow_hosts={"localhost:8101"})

    for host in ("127.0.0.1", "::1"):
        addresses.open_socket(info(host, 8101)).close()


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.1:80", "example.com:80", "127.0.0.1", "127.0.0.1:x", "*:80", "999.1.1.1:80", "8.8.8.8:53", "[::2]:80", ""],
)
def test_only_this_machine_can_be_allowed(entry: str) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_ALLOW_HOSTS"):
        Addresses(origin=URL("https://example.com"), hosts=None, allow_hosts={entry})


def test_a_broken_pattern_for_audio_hosts_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="audio_hosts"):
        Addresses(origin=URL("https://example.com"), hosts="(", allow_hosts=())


def test_a_base_address_keeps_its_path() -> None:
    assert str(base_url("https://gateway.example/qwen/", "V", ())) == "https://gateway.example/qwen"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("dashscope.aliyuncs.com", "not a base address", id="no scheme"),
        pytest.param("https://key@dashscope.aliyuncs.com", "without user name", id="user name"),
        pytest.param("https://dashscope.aliyuncs.com?key=1", "or query", id="query"),
        pytest.param("http://dashscope.aliyuncs.com", "unencrypted", id="not encrypted"),
        pytest.param("http://127.0.0.1:8101", "CUTOVER_ALLOW_HOSTS=127.0.0.1:8101", id="stand-in not allowed"),
        pytest.param("https://[::1", "not a web address", id="no address at all"),
    ],
)
def test_an_unsafe_base_address_is_told_with_its_variable(value: str, told: str) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_QWEN__BASE_URL") as refused:
        base_url(value, "CUTOVER_QWEN__BASE_URL", frozenset())

    assert told in str(refused.value)


def test_more_origins_of_the_provider_are_reached_and_nothing_beside_them() -> None:
    more = URL("https://acme--tts-clone.modal.run")
    addresses = Addresses(origin=URL("https://acme--tts.modal.run"), hosts=None, allow_hosts=(), origins=(more,))

    assert addresses.refusal(more / "x") is None
    assert addresses.refusal(URL("https://acme--tts-design.modal.run")) == "its host is not on the list"
    assert addresses.refusal(URL("http://acme--tts-clone.modal.run")) == "it is not encrypted"
