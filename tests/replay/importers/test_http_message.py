import gzip
import zlib

import pytest

from replay.importers.http_message import read_body, read_head, request_line, status_of, uncoded
from replay.importers.records import Unusable
from tests.traffic import http_reply, http_request


def reason(data: bytes) -> str:
    with pytest.raises(Unusable) as caught:
        read_body(read_head(data), data)
    return caught.value.reason


def test_a_request_gives_its_line_the_few_wanted_fields_and_its_body() -> None:
    data = http_request(b"Hello", path="/v1/tts?voice=anna", host="Legacy.Internal:8443")

    head = read_head(data)

    assert request_line(head) == ("POST", "legacy.internal", "/v1/tts", "voice=anna")
    assert set(head.fields) == {"host", "content-type", "content-length"}
    assert read_body(head, data) == b"Hello"


def test_keys_and_cookies_are_not_even_kept_in_memory() -> None:
    data = http_request(b"", fields="Cookie: session=1\r\nX-Forwarded-For: 10.0.0.7\r\n")

    assert "sk-" not in str(read_head(data))
    assert "session" not in str(read_head(data))


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("https://api.example:8443/v1/tts?x", ("POST", "api.example", "/v1/tts", "x")),
        ("/", ("POST", "legacy.internal", "/", "")),
        ("/job-result?job_id=1?2", ("POST", "legacy.internal", "/job-result", "job_id=1?2")),
        ("*", ("POST", "legacy.internal", "*", "")),
    ],
)
def test_a_target_comes_in_several_forms(target: str, line: tuple[str, str, str, str]) -> None:
    assert request_line(read_head(http_request(b"", path=target))) == line


@pytest.mark.parametrize("first", ["HELLO", "POST /", "P0ST / HTTP/1.1", "POST  HTTP/1.1", "POST http://[::1 HTTP/1.1"])
def test_what_is_no_request_is_unusable(first: str) -> None:
    with pytest.raises(Unusable, match="this is no HTTP request"):
        request_line(read_head(f"{first}\r\nHost: a\r\n\r\n".encode()))


def test_a_status_is_read_and_an_interim_reply_passed_over() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\n" + http_reply(b"RIFF", status=503)

    head = read_head(data)

    assert (status_of(head), read_body(head, data)) == (503, b"RIFF")


@pytest.mark.parametrize("first", ["HTTP/1.1 99 X", "HTTP/1.1 abc", "POST / HTTP/1.1", "HTTP/1.1 2000"])
def test_what_is_no_reply_is_unusable(first: str) -> None:
    with pytest.raises(Unusable, match="this is no HTTP reply"):
        status_of(read_head(f"{first}\r\n\r\n".encode()))


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("X-A: 1\nX-B: 2", id="a bare line feed"),
        pytest.param("X-A: 1\rX-B: 2", id="a bare carriage return"),
        pytest.param("X-A: 1\r\n folded", id="a folded line"),
        pytest.param("X-A : 1", id="a space before the colon"),
        pytest.param("X-A: \x00", id="NUL"),
        pytest.param("no colon", id="no colon"),
        pytest.param(": nameless", id="no name"),
    ],
)
def test_a_head_that_could_smuggle_something_is_refused(field: str) -> None:
    assert reason(http_request(b"", fields=f"{field}\r\n")) == "the HTTP head holds a malformed field"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Content-Length: 999", "the HTTP head tells content-length twice"),
        ("Host: other", "the HTTP head tells host twice"),
        ("Transfer-Encoding: chunked", "the HTTP head tells the length in two ways"),
    ],
)
def test_a_length_or_host_told_twice_is_refused(field: str, expected: str) -> None:
    assert reason(http_request(b"", fields=f"{field}\r\n")) == expected


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "9" * 40, ""])
def test_an_unusable_length_is_refused(length: str) -> None:
    data = f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()

    assert reason(data) == "the HTTP head holds an unusable content-length"


def test_a_head_without_end_is_refused_however_long() -> None:
    assert reason(b"POST / HTTP/1.1\r\nX: " + b"a" * 100_000) == "the HTTP head has no end within 64 KiB"
    assert reason(b"HTTP/1.1 100 Continue\r\n\r\n" + b"x") == "the HTTP head has no end within 64 KiB"


def test_interim_replies_without_end_are_not_followed() -> None:
    assert status_of(read_head(b"HTTP/1.1 100 Continue\r\n\r\n" * 9)) == 100


def test_a_body_cut_short_says_how_much_is_there() -> None:
    assert reason(http_request(b"Hello", length=9_000)) == "the body is cut short: 5 of 9000 bytes are there"


def test_bytes_behind_the_body_are_left_alone() -> None:
    data = http_request(b"Hello and more", length=5)

    assert read_body(read_head(data), data) == b"Hello"


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def test_chunks_are_put_together() -> None:
    data = chunked(b"Hello", b", ", b"world")

    assert read_body(read_head(data), data) == b"Hello, world"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(chunked(b"Hello", end=b""), id="no last chunk"),
        pytest.param(chunked(b"Hello")[:-9], id="cut in a chunk"),
        pytest.param(chunked(end=b"ffffffff\r\nx"), id="a chunk that lies"),
        pytest.param(chunked(end=b"zz\r\n"), id="no size"),
    ],
)
def test_chunks_without_end_are_cut_short(data: bytes) -> None:
    assert reason(data) == "the body is cut short: its chunks have no end"


def test_unknown_framing_is_refused() -> None:
    data = b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"

    assert reason(data) == "the HTTP body is framed in a way that is not known here"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("", b"Hello"),
        ("identity", b"Hello"),
        ("gzip", gzip.compress(b"Hello", mtime=0)),
        ("X-GZIP", gzip.compress(b"Hello", mtime=0)),
        ("deflate", zlib.compress(b"Hello")),
        pytest.param("deflate", zlib.compress(b"Hello")[2:-4], id="deflate without its header"),
    ],
)
def test_compression_is_undone(coding: str, packed: bytes) -> None:
    assert uncoded(packed, coding) == b"Hello"


@pytest.mark.parametrize(
    ("coding", "packed", "expected"),
    [
        ("br", b"", "the body is compressed in a way that is not read here"),
        ("gzip", gzip.compress(b"Hello", mtime=0)[:-9], "the compression of the body is damaged or cut short"),
        ("gzip", b"Hello", "the compression of the body is damaged or cut short"),
        pytest.param(
            "gzip", gzip.compress(bytes(40_000_000), mtime=0), "the body unfolds to more than 32 MiB", id="bomb"
        ),
    ],
)
def test_compression_that_cannot_be_undone_is_refused(coding: str, packed: bytes, expected: str) -> None:
    with pytest.raises(Unusable) as caught:
        uncoded(packed, coding)

    assert caught.value.reason == expected
