"""Connections that break, hang or crawl: before the work, after it, or in the middle of its reply (F09-F13, F26)."""

import asyncio
from enum import StrEnum
from typing import Final, NoReturn

from aiohttp import web

from harness.clock import Clock
from harness.emulators.faults import Injected
from harness.emulators.sites import break_connection, leave_hanging

__all__ = ["WIRE_FAULTS", "WireFault", "before_work", "send_badly"]


class WireFault(StrEnum):
    """How the bytes fail to arrive. "After" means: the work is done and billed, and a voice is kept."""

    RESET_BEFORE = "reset-before"
    HANG_BEFORE = "hang-before"
    RESET_AFTER = "reset-after"
    HANG_AFTER = "hang-after"
    CUT = "cut"  # half of the body, then a reset
    LENGTH_TOO_LONG = "length-too-long"  # the head promises more than comes before the connection ends
    LENGTH_TOO_SHORT = "length-too-short"  # the head promises half
    SLOW_HEAD = "slow-head"  # `bytes_per_s`
    SLOW_BODY = "slow-body"  # `bytes_per_s`
    ENDLESS = "endless"  # zeros after the body until the caller goes away


WIRE_FAULTS: Final = tuple(WireFault)
_SLOW_BYTES_PER_S: Final = 1.0
_STEP_S: Final = 0.05  # between two writes of a crawl that is not slower than that
_ENDLESS_PIECE: Final = bytes(1 << 16)


async def before_work(request: web.Request, fault: Injected) -> None:
    """Fail before anything is done, if the fault is one of those."""
    if fault.name == WireFault.RESET_BEFORE:
        await break_connection(request)
    if fault.name == WireFault.HANG_BEFORE:
        await leave_hanging()


async def send_badly(
    request: web.Request, response: web.Response, fault: Injected, *, clock: Clock
) -> web.StreamResponse:
    """Send what the work came to, or fail to; the response itself when the fault is none of the wire."""
    data = response.body if isinstance(response.body, bytes) else b""
    half = len(data) // 2
    match fault.name:
        case WireFault.RESET_AFTER:
            await break_connection(request)
        case WireFault.HANG_AFTER:
            await leave_hanging()
        case WireFault.CUT:
            _write(request, _head(response, len(data)) + data[:half])
            await _delivered(request, clock)
            await break_connection(request)
        case WireFault.LENGTH_TOO_LONG:
            _write(request, _head(response, len(data) + 4_096) + data)
            await _end(request)
        case WireFault.LENGTH_TOO_SHORT:
            _write(request, _head(response, half) + data)
            await _end(request)
        case WireFault.SLOW_HEAD:
            await _crawl(request, _head(response, len(data)), fault, clock)
            _write(request, data)
            await _end(request)
        case WireFault.SLOW_BODY:
            _speed(fault)  # a wrong one is told before anything is sent
            _write(request, _head(response, len(data)))
            await _crawl(request, data, fault, clock)
            await _end(request)
        case WireFault.ENDLESS:
            return await _flood(request, response, data)
    return response


def _head(response: web.Response, length: int) -> bytes:
    """A head that promises `length` bytes and the end of the connection."""
    headers = {
        "Content-Type": response.headers.get("Content-Type", "application/octet-stream"),
        "Content-Length": str(length),
        "Connection": "close",
    }
    for name in ("x-request-id", "x-oss-request-id"):
        if name in response.headers:
            headers[name] = response.headers[name]
    lines = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{key}: {value}" for key, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _write(request: web.Request, data: bytes) -> None:
    """Past the framework, which would not let a head and its body differ."""
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        transport.write(data)


async def _delivered(request: web.Request, clock: Clock) -> None:
    """Let the kernel have what was written: a reset throws away what still waits here."""
    transport = request.transport
    while isinstance(transport, asyncio.Transport) and transport.get_write_buffer_size():
        await clock.sleep(_STEP_S)
    await clock.sleep(_STEP_S)


async def _end(request: web.Request) -> NoReturn:
    """Close the connection once all is written."""
    if request.transport is not None:
        request.transport.close()
    await leave_hanging()


def _speed(fault: Injected) -> float:
    return max(1e-3, fault.number("bytes_per_s", _SLOW_BYTES_PER_S))


async def _crawl(request: web.Request, data: bytes, fault: Injected, clock: Clock) -> None:
    """Write `data` at so many bytes a second of the wall clock; a caller who leaves ends it."""
    bytes_per_s = _speed(fault)
    step = max(1, round(bytes_per_s * _STEP_S))
    for at in range(0, len(data), step):
        _write(request, data[at : at + step])
        await clock.sleep(step / bytes_per_s)


async def _flood(request: web.Request, response: web.Response, data: bytes) -> web.StreamResponse:
    endless = web.StreamResponse(status=response.status, headers={"Content-Type": response.headers["Content-Type"]})
    endless.enable_chunked_encoding()
    await endless.prepare(request)
    await endless.write(data)
    while True:
        await endless.write(_ENDLESS_PIECE)
