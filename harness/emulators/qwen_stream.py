"""A synthesis as a stream of server-sent events, byte for byte as captured (providers.md A3).

Writes what it is given when it is due; what is spoken and billed is the endpoint's business.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from harness.clock import Clock
from harness.emulators.fault_refusals import QWEN_REFUSALS
from harness.emulators.fault_stream import ErrorFrames, Frame, outgoing
from harness.emulators.faulty import fault_of
from harness.emulators.qwen_results import SignedUrl
from harness.emulators.qwen_wire import request_id_of
from harness.emulators.sites import break_connection

__all__ = ["frames_of", "pieces_of", "send"]

_BYTES_A_SECOND: Final = 48_000  # 24 kHz, PCM16, mono
_FIRST_S, _NEXT_S = 0.96, 0.72  # of audio in a piece, as captured from the legacy model (providers.md A3)


def pieces_of(pcm: bytes) -> list[bytes]:
    """The samples as they are sent: a longer first piece, even ones, and what is left."""
    first, step = int(_FIRST_S * _BYTES_A_SECOND), int(_NEXT_S * _BYTES_A_SECOND)
    return [pcm[:first], *(pcm[at : at + step] for at in range(first, len(pcm), step))]


def frames_of(
    pieces: Sequence[bytes], *, units: int, request_id: str, result: SignedUrl, now_unix_s: int
) -> list[Frame]:
    """The events: one for each piece, then one with the address of the whole.

    Args:
        pieces: PCM.
        units: Billed characters; each event tells how many of them are spoken so far.
        request_id: Of the request.
        result: Where the whole lies.
        now_unix_s: An event before the last expires when it is sent.
    """
    whole = sum(map(len, pieces))
    name = f"audio_{request_id}"
    frames, sent = [], 0
    for number, piece in enumerate(pieces, 1):
        sent += len(piece)
        audio = {"data": base64.b64encode(piece).decode(), "expires_at": now_unix_s, "id": name}
        frames.append(_frame(number, "null", audio, -(-units * sent // whole) if whole else units, request_id))
    last = {"expires_at": result.expires_at, "id": name, "data": "", "url": result.url}
    return [*frames, _frame(len(pieces) + 1, "stop", last, units, request_id)]


def _frame(number: int, finish_reason: str, audio: dict[str, Any], units: int, request_id: str) -> Frame:
    body = {
        "output": {"finish_reason": finish_reason, "audio": audio},
        "usage": {"characters": units},
        "request_id": request_id,
    }
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Frame((f"id:{number}", "event:result", ":HTTP_STATUS/200", f"data:{data}"))


def _errors(request_id: str) -> ErrorFrames:
    refused = QWEN_REFUSALS["rate-quota"]
    body = {"code": refused.code, "message": refused.message, "request_id": request_id}
    data = f"data:{json.dumps(body, separators=(',', ':'))}"
    return ErrorFrames(event=Frame(("event:error", ":HTTP_STATUS/429", "status:429", data)), data=Frame((data,)))


async def send(
    request: web.Request, frames: Sequence[Frame], due_s: Sequence[float], *, clock: Clock
) -> web.StreamResponse:
    """Write the events when they are due, under the fault that the request meets."""
    headers = {"x-request-id": request_id_of(request), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    response.content_type = "text/event-stream"
    response.charset = "UTF-8"
    response.enable_chunked_encoding()
    fault = fault_of(request)
    stream = outgoing(fault.name if fault else None, frames, _errors(request_id_of(request)))
    await clock.sleep(due_s[0] - clock.monotonic())
    await response.prepare(request)
    for number, piece in enumerate(stream.pieces):
        await clock.sleep(due_s[min(number, len(due_s) - 1)] - clock.monotonic())
        await response.write(piece)
    if stream.breaks:
        await break_connection(request)
    await response.write_eof()
    return response
