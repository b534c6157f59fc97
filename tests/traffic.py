"""Recorded traffic as the tools write it, byte by byte, for tests of what reads it."""

import base64
import json
import struct
from typing import Any

from replay.importers.exchanges import HttpExchange, HttpReply
from replay.importers.gor_records import SEPARATOR
from replay.importers.records import SpeechCall

NOON_NS = 1_763_899_200_000_000_000  # 2025-11-23T12:00:00Z
NOON = "2025-11-23T12:00:00+00:00"


def a_wav(seconds: float = 0.5, *, rate_hz: int = 24_000) -> bytes:
    data = b"\x01\x00" * round(seconds * rate_hz)
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    riff = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
    return riff + layout + struct.pack("<4sI", b"data", len(data)) + data


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def a_body(**changes: Any) -> dict[str, Any]:
    """A preset request to the legacy path."""
    return {"text": "Good morning.", "language": "English", "speaker": "Vivian"} | changes


def http_request(
    body: bytes | dict[str, Any],
    *,
    path: str = "/generate",
    method: str = "POST",
    host: str = "legacy.internal",
    content_type: str = "application/json",
    fields: str = "",
    length: int | None = None,
) -> bytes:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    size = len(data) if length is None else length
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {size}\r\n{fields}\r\n"
    ).encode() + data


def http_reply(body: bytes = b"", *, status: int = 200, content_type: str = "audio/wav", fields: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


def gor(
    message: bytes, *, kind: int = 1, identity: str = "c5a0d2f7" * 3, at_ns: int = NOON_NS, latency_ns: int | None = 0
) -> bytes:
    latency = "" if latency_ns is None else f" {latency_ns}"
    return f"{kind} {identity} {at_ns}{latency}\n".encode() + message + SEPARATOR


def har(*entries: dict[str, Any]) -> bytes:
    log = {"version": "1.2", "creator": {"name": "test", "version": "1"}, "pages": [], "entries": list(entries)}
    return json.dumps({"log": log}).encode()


def har_entry(
    body: str | dict[str, Any] | None = None,
    *,
    url: str = "https://legacy.internal/generate",
    method: str = "POST",
    reply: bytes | None = None,
    status: int = 200,
    **changes: Any,
) -> dict[str, Any]:
    text = json.dumps(a_body() if body is None else body) if not isinstance(body, str) else body
    content: dict[str, Any] = {"size": len(reply or b""), "mimeType": "audio/wav"}
    if reply is not None:
        content |= {"text": b64(reply), "encoding": "base64"}
    entry: dict[str, Any] = {
        "startedDateTime": "2025-11-23T12:00:00.250Z",
        "time": 1500.0,
        "request": {
            "method": method,
            "url": url,
            "httpVersion": "h2",
            "cookies": [{"name": "session", "value": "secret"}],
            "headers": [{"name": ":authority", "value": "legacy.internal"}],
            "queryString": [],
            "postData": {"mimeType": "application/json", "text": text},
            "headersSize": -1,
            "bodySize": len(text.encode("utf-8", "surrogatepass")),
        },
        "response": {"status": status, "headers": [], "cookies": [], "content": content, "redirectURL": ""},
        "cache": {},
        "timings": {"blocked": -1, "dns": 10, "connect": 40, "ssl": 30, "send": 1, "wait": 849, "receive": 600},
    }
    return entry | changes


def tnetstring(value: Any) -> bytes:
    match value:
        case None:
            payload, kind = b"", b"~"
        case bool():
            payload, kind = (b"true" if value else b"false"), b"!"
        case int():
            payload, kind = str(value).encode(), b"#"
        case float():
            payload, kind = repr(value).encode(), b"^"
        case bytes():
            payload, kind = value, b","
        case str():
            payload, kind = value.encode(), b";"
        case list() | tuple():
            payload, kind = b"".join(map(tnetstring, value)), b"]"
        case dict():
            payload, kind = b"".join(tnetstring(key) + tnetstring(inner) for key, inner in value.items()), b"}"
        case _:
            raise TypeError(type(value))
    return str(len(payload)).encode() + b":" + payload + kind


def a_flow(body: bytes | None = None, *, reply: bytes | None = None, **changes: Any) -> dict[str, Any]:
    data = json.dumps(a_body()).encode() if body is None else body
    flow: dict[str, Any] = {
        "version": 21,
        "type": "http",
        "id": "1b2c",
        "error": None,
        "client_conn": {"peername": ["10.0.0.7", 51000]},
        "server_conn": {},
        "intercepted": False,
        "comment": "",
        "request": {
            "http_version": b"HTTP/1.1",
            "headers": [[b"Content-Type", b"application/json"], [b"authorization", b"Bearer secret"]],
            "content": data,
            "trailers": None,
            "timestamp_start": 1_763_899_200.0,
            "timestamp_end": 1_763_899_200.1,
            "host": "legacy.internal",
            "port": 443,
            "method": b"POST",
            "scheme": b"https",
            "authority": b"",
            "path": b"/generate?x=1",
        },
        "response": None,
        "websocket": None,
    }
    if reply is not None:
        flow["response"] = {
            "http_version": b"HTTP/1.1",
            "headers": [[b"content-type", b"audio/wav"]],
            "content": reply,
            "timestamp_start": 1_763_899_200.9,
            "timestamp_end": 1_763_899_201.5,
            "status_code": 200,
            "reason": b"OK",
        }
    return flow | changes


def an_exchange(
    body: bytes | dict[str, Any] | None = None, *, reply: HttpReply | None = None, **changes: Any
) -> HttpExchange:
    data = a_body() if body is None else body
    fields: dict[str, Any] = {
        "key": "k1",
        "captured_at": NOON,
        "method": "POST",
        "host": "legacy.internal",
        "path": "/generate",
        "content_type": "application/json",
        "body": json.dumps(data).encode() if isinstance(data, dict) else data,
        "reply": reply,
        "first_byte_s": 0.8 if reply else None,
        "total_s": 1.5 if reply else None,
    }
    return HttpExchange(**fields | changes)


def a_reply(body: bytes | dict[str, Any] | None = None, *, status: int = 200, content_type: str = "") -> HttpReply:
    if isinstance(body, dict):
        return HttpReply(status=status, content_type=content_type or "application/json", body=json.dumps(body).encode())
    return HttpReply(status=status, content_type=content_type or "audio/wav", body=body)


def a_call(text: str = "Good morning.", **changes: Any) -> SpeechCall:
    fields: dict[str, Any] = {
        "key": "k1",
        "captured_at": NOON,
        "operation": "generate",
        "text": text,
        "language": "en",
        "voice_kind": "preset",
        "voice_id": "Vivian",
    }
    return SpeechCall(**fields | changes)
