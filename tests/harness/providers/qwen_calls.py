"""Requests to the Qwen client, and the answers that its tests give it."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from harness.exchanges import Exchange
from harness.providers.base import Admission, Deadline
from harness.providers.qwen import QwenProvider
from harness.speech import SpeechRequest
from tests.builders import a_request
from tests.harness.providers.stubs import Audience, Handler, Script, Till, says
from tests.virtual_time import VirtualClock

OpenQwen = Callable[..., Awaitable[QwenProvider]]
SPEAK = "POST /api/v1/services/aigc/multimodal-generation/generation"
VOICES = "POST /api/v1/services/audio/tts/customization"
SIGNED = "Expires=1770650166&OSSAccessKeyId=X&Signature=canary%2Bsignature%3D"
WISH = a_request("Call me: 0171 5550123")  # 21 characters, 210 micro-dollars


async def asked(
    provider: QwenProvider, request: SpeechRequest, admission: Admission | None = None, *, seconds: float = 10.0
) -> Exchange:
    return await provider.synthesize(request, admission=admission or Till(), deadline=Deadline(VirtualClock(), seconds))


async def heard(
    provider: QwenProvider, audience: Audience, request: SpeechRequest = WISH, till: Till | None = None
) -> Exchange:
    deadline = Deadline(VirtualClock(), 10.0)
    return await provider.synthesize(request, admission=till or Till(), deadline=deadline, sink=audience)


def spoken(url: str, *, chars: Any = 21) -> Handler:
    audio = {"data": "", "expires_at": 1770650166, "id": "audio_r1", "url": url}
    output = {"audio": audio, "finish_reason": "stop"}
    return says({"output": output, "usage": {"characters": chars}, "request_id": "r1"})


def by_path(speech: Handler, *, voices: Handler | None = None) -> Handler:
    """One answer for synthesis, another for voices."""

    async def answer(request: web.Request) -> web.StreamResponse:
        chosen = voices if request.path.endswith("customization") else speech
        assert chosen is not None
        return await chosen(request)

    return answer


async def with_audio(open_qwen: OpenQwen, api: Script, oss: Script, **settings: Any) -> QwenProvider:
    return await open_qwen(api.url, also=(oss.authority,), **settings)


def piece_of(samples: bytes, *, chars: int = 21, end: bool = False) -> bytes:
    audio = {"data": base64.b64encode(samples).decode(), "id": "audio_r1"}
    output = {"finish_reason": "stop" if end else "null", "audio": audio}
    content = json.dumps({"output": output, "usage": {"characters": chars}, "request_id": "r1"})
    return f"event:result\n:HTTP_STATUS/200\ndata:{content}\n\n".encode()


SILENCE = b"\x00\x00" * 12_000  # half a second
SOUND = b"\x40\x1f" * 12_000
END = piece_of(b"", end=True)
STREAMED = a_request("Call me: 0171 5550123", stream=True)
THROTTLED = b'event:error\n:HTTP_STATUS/429\ndata:{"code":"Throttling","message":"m","request_id":"r1"}\n\n'
