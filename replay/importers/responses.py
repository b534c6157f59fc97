"""How production answered, from a recorded reply: `observed` of a capture.

Coarse on purpose: what is not in the recording stays None, and a reply whose outcome lies in another request (a
redirect, a job that was only taken in) gives nothing.
"""

import base64
import binascii
import json
import struct
from typing import Any, Final

from harness.errors import ErrorKind
from harness.exchanges import OK
from harness.providers.codes import dashscope_failure, modal_failure
from harness.providers.delivery import extension_of
from replay.importers.exchanges import HttpExchange, HttpReply
from replay.importers.json_body import load_object
from replay.importers.records import Unusable

__all__ = ["length_of", "observed", "reply_object", "wav_seconds"]

_SHOWN_CHARS: Final = 300  # of an error body, as the providers' clients read it
_PCM_BYTES_A_SECOND: Final = 2 * 24_000  # what both providers stream: 16 bit, mono, 24 kHz (providers.md 0.4)
_STREAMED_FROM: Final = 0x7FFF_0000  # a WAV header written before its length was known


def observed(exchange: HttpExchange, provider: str) -> dict[str, object] | None:
    """`observed` in the terms of the capture format; None when the reply is not there or tells nothing."""
    reply = exchange.reply
    if reply is None:
        return None
    status = _status(reply, provider)
    if status is None:
        return None
    return {
        "provider": provider,
        "status": status,
        "first_byte_s": exchange.first_byte_s,
        "total_s": exchange.total_s,
        "audio_s": _audio_s(reply) if status == OK else None,
    }


def reply_object(reply: HttpReply | None) -> dict[str, Any]:
    """The JSON object that came back with a success; empty when it is none."""
    if reply is None or not reply.body or not 200 <= reply.status < 300:
        return {}
    try:
        return load_object(reply.body)
    except Unusable:
        return {}


def _status(reply: HttpReply, provider: str) -> str | None:
    if reply.status == 0:
        return reply.error or ErrorKind.UNKNOWN_OUTCOME.value
    if reply.status < 200 or reply.status == 202 or 300 <= reply.status < 400:
        return None
    if reply.status >= 400:
        return _failure(reply, provider)
    return _success(reply, provider)


def _success(reply: HttpReply, provider: str) -> str | None:
    """Audio, or an address of it, or an error that came with 200."""
    body = reply.body
    if body is None:
        return OK
    if not body:
        return ErrorKind.EMPTY_AUDIO.value
    if extension_of(body) or reply.content_type.startswith(("audio/", "application/octet-stream")):
        return OK
    if reply.content_type.startswith("text/event-stream"):
        return OK if _sse_pcm_bytes(body) else ErrorKind.EMPTY_AUDIO.value
    found = reply_object(reply)
    if isinstance(found.get("code"), str) and found["code"]:
        return _failure(reply, provider)
    if found.get("job_id"):
        return None
    return OK if found else ErrorKind.BAD_RESPONSE.value


def _failure(reply: HttpReply, provider: str) -> str:
    text = (reply.body or b"")[:65536].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    fields: dict[str, Any] = found if isinstance(found, dict) else {}
    if provider == "modal":
        detail = fields.get("detail")
        told = detail if isinstance(detail, str) else json.dumps(detail) if detail is not None else None
        return modal_failure(reply.status, text[:_SHOWN_CHARS], told).kind.value
    error = fields.get("error")
    inner: dict[str, Any] = error if isinstance(error, dict) else fields
    code, message = inner.get("code"), inner.get("message")
    kind = dashscope_failure(
        reply.status,
        code if isinstance(code, str) else None,
        message if isinstance(message, str) else text[:_SHOWN_CHARS],
    ).kind
    return kind.value


def _audio_s(reply: HttpReply) -> float | None:
    if not reply.body:
        return None
    if reply.content_type.startswith("text/event-stream"):
        pcm_bytes = _sse_pcm_bytes(reply.body)
        return round(pcm_bytes / _PCM_BYTES_A_SECOND, 3) if pcm_bytes else None
    return wav_seconds(reply.body)


def wav_seconds(body: bytes) -> float | None:
    """Seconds of audio in a WAV file, by its bytes rather than its header; None when it is none."""
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        return None
    position, bytes_a_second = 12, 0
    while position + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, position)
        position += 8
        if name == b"fmt " and position + 12 <= len(body):
            (bytes_a_second,) = struct.unpack_from("<I", body, position + 8)
        if name == b"data":
            there = len(body) - position
            length = there if size >= _STREAMED_FROM else min(size, there)
            return round(length / bytes_a_second, 3) if bytes_a_second else None
        position += size + size % 2
    return None


def _sse_pcm_bytes(body: bytes) -> int:
    """Bytes of PCM in an event stream of DashScope or of the OpenAI convention."""
    total = 0
    for line in body.splitlines():
        if not line.startswith(b"data:"):
            continue
        try:
            event = load_object(line[5:].strip())
        except Unusable:
            continue
        total += length_of(_event_audio(event))
    return total


def _event_audio(event: dict[str, Any]) -> object:
    match event:
        case {"output": {"audio": {"data": data}}}:
            return data
        case {"type": "speech.audio.delta", "audio": data}:
            return data
        case _:
            return None


def length_of(data: object) -> int:
    """Bytes in a text of base64; 0 where it is none."""
    if not isinstance(data, str):
        return 0
    try:
        return len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return 0
