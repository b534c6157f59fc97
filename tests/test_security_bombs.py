"""S8-08: replies made to exhaust us, read by the whole client: memory and time stay what one reply may take."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.clock import FakeClock, SystemClock
from harness.providers.base import Deadline
from tests.builders import a_request
from tests.faulted import open_provider
from tests.harness.providers.stubs import Till, a_raw_server

CAP = 16 * 1024 * 1024
MOST = CAP + CAP // 2 + 4 * 1024 * 1024  # a buffer that grows leaves a part of itself unused
DEADLINE_S = 20.0
MEGABYTE = 1_000_000
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def with_length(body: bytes, *more: bytes) -> bytes:
    return JSON + b"".join(line + b"\r\n" for line in more) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def packed(window: int) -> bytes:
    """200 MB of blanks in 200 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return b"".join(packer.compress(b" " * MEGABYTE) for _ in range(200)) + packer.flush()


def bombs() -> Iterator[Any]:
    twice = gzip.compress(packed(31))
    yield pytest.param(with_length(packed(31), b"Content-Encoding: gzip"), "close", id="gzip 1000:1")
    yield pytest.param(with_length(packed(15), b"Content-Encoding: deflate"), "close", id="deflate 1000:1")
    yield pytest.param(with_length(twice, b"Content-Encoding: gzip, gzip"), "close", id="gzip within gzip")
    yield pytest.param(JSON + b"Connection: close\r\n\r\n", "endless", id="no end")
    yield pytest.param(JSON + b"Content-Length: 999999999999\r\n\r\n{}", "hang", id="a terabyte by its head")
    yield pytest.param(with_length(b"[" * 100_000), "close", id="a hundred thousand brackets")
    yield pytest.param(
        JSON + b'Connection: close\r\n\r\n{"output":{"audio":{"data":"', "endless", id="base64 without end"
    )
    yield pytest.param(with_length(b'{"usage":{"characters":' + b"9" * 5_000 + b"}}"), "close", id="a giant number")
    yield pytest.param(with_length(b'{"code":"' + b"\\ud800" * 100_000 + b'"}'), "close", id="half characters")
    yield pytest.param(JSON + b"X-A: 1\r\n" * 1_000_000 + b"\r\n{}", "close", id="a million headers")
    yield pytest.param(JSON + b"X-A: " + b"a" * 8 * MEGABYTE + b"\r\n\r\n{}", "close", id="one giant header")


@pytest.mark.parametrize(("reply", "then"), list(bombs()))
async def test_no_reply_takes_more_memory_or_time_than_it_may(reply: bytes, then: str, tmp_path: Path) -> None:
    clock = SystemClock()
    settings = {"max_reply_bytes": CAP, "read_timeout_s": 2.0, "max_attempts": 1}
    async with a_raw_server(reply, then=then) as base:
        async with open_provider("qwen", base, tmp_path, clock=FakeClock(), **settings) as provider:
            tracemalloc.start()
            began_s = clock.monotonic()
            try:
                exchange = await provider.synthesize(
                    a_request(), admission=Till(), deadline=Deadline(clock, DEADLINE_S)
                )
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        took_s = clock.monotonic() - began_s

    assert exchange.outcome in ("too_large", "bad_response", "conn_reset", "timeout_read", "unknown_outcome")
    assert peak < MOST
    assert took_s < DEADLINE_S + 1.0
