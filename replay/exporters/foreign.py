"""Captures in the formats of other tools: GoReplay .gor, HAR 1.2, and JSON targets for vegeta."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from harness.errors import ErrorKind, UsageError
from harness.exchanges import OK, Capture, Observed
from replay.exporters.wire_requests import WireRequest
from replay.importers.gor_records import SEPARATOR

__all__ = ["ExportFormat", "render"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Outcomes that HTTP has a status for; the others become a request without a reply and its reason.
_STATUSES: Final = MappingProxyType(
    {
        OK: 200,
        ErrorKind.BAD_REQUEST.value: 400,
        ErrorKind.AUTH.value: 401,
        ErrorKind.RATE_LIMITED.value: 429,
        ErrorKind.OVERLOADED.value: 503,
        ErrorKind.TIMEOUT_READ.value: 504,
    }
)
Pair = tuple[Capture, WireRequest]


class ExportFormat(StrEnum):
    """What `--format` takes."""

    GOR = "gor"
    HAR = "har"
    VEGETA = "vegeta"


def render(format: ExportFormat, pairs: Iterable[Pair], base_url: str) -> Iterator[bytes]:  # noqa: A002 - the option's
    """The pieces of the file, in order and constant memory.

    Args:
        format: Which format.
        pairs: Captures and the requests that they are.
        base_url: Where the requests are to go.

    Raises:
        UsageError: The address is none.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.username or parts.query or parts.fragment:
        raise UsageError(f"--base-url {base_url!r}: write it like http://127.0.0.1:8080, without a key in it")
    return _RENDERERS[format](pairs, base_url.rstrip("/"))


def _gor(pairs: Iterable[Pair], base_url: str) -> Iterator[bytes]:
    """Requests only: what production answered is not ours to make up."""
    parts = urlsplit(base_url)
    for capture, request in pairs:
        identity = hashlib.sha256(capture.id.encode()).hexdigest()[:24]
        since = capture.captured_at - _EPOCH
        timestamp_ns = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000
        head = [f"POST {parts.path}{request.path} HTTP/1.1", f"Host: {parts.netloc}"]
        head += [f"{name}: {value}" for name, value in request.headers.items()]
        yield f"1 {identity} {max(0, timestamp_ns)} 0\n".encode()
        yield "\r\n".join([*head, "", ""]).encode() + request.body + SEPARATOR


def _har(pairs: Iterable[Pair], base_url: str) -> Iterator[bytes]:
    """With status and times as production saw them; bodies of replies are not in a capture."""
    yield b'{"log":{"version":"1.2","creator":{"name":"cutover","version":"1"},"entries":['
    for number, (capture, request) in enumerate(pairs):
        yield (b",\n" if number else b"\n") + json.dumps(_entry(capture, request, base_url)).encode()
    yield b"\n]}}\n"


def _entry(capture: Capture, request: WireRequest, base_url: str) -> dict[str, Any]:
    observed = capture.observed
    first_s = (observed.first_byte_s if observed else None) or 0.0
    total_s = max((observed.total_s if observed else None) or 0.0, first_s)
    return {
        "startedDateTime": capture.captured_at.isoformat(),
        "time": total_s * 1000,
        "request": {
            "method": "POST",
            "url": base_url + request.path,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [{"name": name, "value": value} for name, value in request.headers.items()],
            "queryString": [],
            "postData": {"mimeType": "application/json", "text": request.body.decode()},
            "headersSize": -1,
            "bodySize": len(request.body),
        },
        "response": _response(observed),
        "cache": {},
        "timings": {"send": 0, "wait": first_s * 1000, "receive": (total_s - first_s) * 1000},
    }


def _response(observed: Observed | None) -> dict[str, Any]:
    status = _STATUSES.get(observed.status, 0) if observed else 0
    return {
        "status": status,
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "audio/wav" if status == 200 else "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        **({"_error": observed.status if observed else "not recorded"} if status == 0 else {}),
    }


def _vegeta(pairs: Iterable[Pair], base_url: str) -> Iterator[bytes]:
    """One target a line, for `vegeta attack -format=json`."""
    for _, request in pairs:
        target = {
            "method": "POST",
            "url": base_url + request.path,
            "header": {name: [value] for name, value in request.headers.items() if name != "Content-Length"},
            "body": base64.b64encode(request.body).decode(),
        }
        yield json.dumps(target).encode() + b"\n"


_RENDERERS: Final[dict[ExportFormat, Callable[[Iterable[Pair], str], Iterator[bytes]]]] = {
    ExportFormat.GOR: _gor,
    ExportFormat.HAR: _har,
    ExportFormat.VEGETA: _vegeta,
}
