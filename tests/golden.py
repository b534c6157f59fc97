"""What goes over the wire, to the byte: one example of every kind of frame, and the request that asks for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.speech import Operation
from tests.canaries import QWEN_KEY

SPEAK = "/api/v1/services/aigc/multimodal-generation/generation"
VOICES = "/api/v1/services/audio/tts/customization"
KEY = {"Authorization": f"Bearer {QWEN_KEY}"}
HELLO = {"model": "qwen3-tts-flash", "input": {"text": "Good morning.", "voice": "Cherry"}}
DESIGN = {
    "action": "create",
    "target_model": "qwen3-tts-vd-2026-01-26",
    "voice_prompt": "A calm narrator.",
    "preview_text": "Hello.",
    "preferred_name": "narrator",
    "language": "en",
}
SAMPLES = "AQACAA=="  # two of them
UUID = "00000000-0000-0000-0000-000000000000"
ZEROS = "0" * 32
VOICE = "qwen-tts-vd-narrator-voice-20260301120000123-ab12"
URL = f"http://dashscope-result-bj/1d/9a/20260208/0011223344556677/{UUID}.wav?Expires=1770650166&OSSAccessKeyId=X&Signature=X"
# What differs from call to call, and what stands in its place.
_VARIES = [
    (rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", UUID),
    (rb"\b(event|resp|item|sess)_[0-9a-f]{32}", rf"\1_{ZEROS}"),
    (rb'"url":"http://[^"]*"', f'"url":"{URL}"'),
    (rb'"expires_at":\d+', '"expires_at":1770650166'),
    (rb"qwen-tts-vd-narrator-voice-\d{17}-[0-9a-f]{4}", VOICE),
    (rb'"(gmt_create|gmt_modified)":"[^"]*"', r'"\1":"2026-03-01 12:00:00"'),
    (rb'"(data|delta|audio)":"[A-Za-z0-9+/=]{9,}"', rf'"\1":"{SAMPLES}"'),
    (rb'"(output|total)_tokens":\d+', r'"\1_tokens":9'),
    (rb"<RequestId>[0-9A-F]{24}<", f"<RequestId>{'0' * 24}<"),
    (rb"fc-[0-9A-Z]{26}", f"fc-{'0' * 26}"),
    (rb"http://127\.0\.0\.1:\d+", "http://host"),
]


def settled(data: bytes) -> bytes:
    """`data` with all that differs from call to call put to the golden values."""
    for pattern, golden in _VARIES:
        data = re.sub(pattern, golden.encode(), data)
    return data


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a server answers to a call, and what a client makes of it."""

    golden: bytes
    outcome: str  # of the client that reads it
    status: int = 200
    content_type: str = "application/json"
    path: str = SPEAK
    body: Any = None  # None: a GET
    headers: Mapping[str, str] = field(default_factory=lambda: KEY)
    request: Mapping[str, Any] = field(default_factory=dict)  # the client's
    settings: Mapping[str, Any] = field(default_factory=dict)


def sse(number: int, reason: str, audio: str, characters: int) -> str:
    output = f'"output":{{"finish_reason":"{reason}","audio":{{{audio}}}}}'
    usage = f'"usage":{{"characters":{characters}}}'
    return f'id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{{{output},{usage},"request_id":"{UUID}"}}\n\n'


QWEN = {
    "A2 speech": Frame(
        golden=(
            f'{{"output":{{"audio":{{"data":"","expires_at":1770650166,"id":"audio_{UUID}","url":"{URL}"}},'
            f'"finish_reason":"stop"}},"usage":{{"characters":13}},"request_id":"{UUID}"}}'
        ).encode(),
        body=HELLO,
        outcome="ok",
    ),
    "A3 stream": Frame(
        golden=(
            sse(1, "null", f'"data":"{SAMPLES}","expires_at":1770650166,"id":"audio_{UUID}"', 13)
            + sse(2, "stop", f'"expires_at":1770650166,"id":"audio_{UUID}","data":"","url":"{URL}"', 13)
        ).encode(),
        content_type="text/event-stream; charset=utf-8",
        body=HELLO,
        headers={**KEY, "X-DashScope-SSE": "enable"},
        request={"stream": True},
        outcome="ok",
    ),
    "A3 an error event": Frame(
        golden=(
            sse(1, "null", f'"data":"{SAMPLES}","expires_at":1770650166,"id":"audio_{UUID}"', 13)
            + 'event:error\n:HTTP_STATUS/429\nstatus:429\ndata:{"code":"Throttling.RateQuota",'
            f'"message":"You have exceeded your request limit.","request_id":"{UUID}"}}\n\n'
        ).encode(),
        content_type="text/event-stream; charset=utf-8",
        body=HELLO,
        headers={**KEY, "X-DashScope-SSE": "enable", "X-Standin-Fault": "stream-error-event"},
        request={"stream": True},
        outcome="rate_limited",
    ),
    "A3 a bare error": Frame(
        golden=(
            sse(1, "null", f'"data":"{SAMPLES}","expires_at":1770650166,"id":"audio_{UUID}"', 13)
            + 'data:{"code":"Throttling.RateQuota","message":"You have exceeded your request limit.",'
            f'"request_id":"{UUID}"}}\n\n'
        ).encode(),
        content_type="text/event-stream; charset=utf-8",
        body=HELLO,
        headers={**KEY, "X-DashScope-SSE": "enable", "X-Standin-Fault": "stream-error-data"},
        request={"stream": True},
        outcome="rate_limited",
    ),
    "A6 a designed voice": Frame(
        golden=(
            f'{{"output":{{"voice":"{VOICE}","target_model":"qwen3-tts-vd-2026-01-26","preview_audio":'
            f'{{"data":"{SAMPLES}","sample_rate":24000,"response_format":"wav"}}}},"usage":{{"count":1}},'
            f'"request_id":"{UUID}"}}'
        ).encode(),
        path=VOICES,
        body={"model": "qwen-voice-design", "input": DESIGN},
        request={"operation": Operation.DESIGN},
        settings={"allow_voice_creation": True},
        outcome="bad_audio",  # two samples without a head are no WAV file; that the client looks is what is tested
    ),
    "A7 a refusal": Frame(
        golden=f'{{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"{UUID}"}}'.encode(),
        status=401,
        body=HELLO,
        headers={},
        outcome="auth",
    ),
    "A7 a gateway's text": Frame(
        golden=b"upstream request timeout",
        status=504,
        content_type="text/plain; charset=utf-8",
        body=HELLO,
        headers={**KEY, "X-Standin-Fault": "gateway-timeout"},
        outcome="timeout_read",
    ),
}
VLLM_HELLO = {"input": "Good morning.", "voice": "Vivian"}
STREAMED = {"stream": True, "response_format": "pcm"}
OPENAI = {"dialect": "openai"}
MODAL = {
    "B1 no key": Frame(
        golden=b"modal-http: missing credentials for proxy authorization",
        status=401,
        content_type="text/plain; charset=utf-8",
        path="/generate",
        body={"text": "x"},
        headers={"X-Standin-Fault": "platform-401"},
        outcome="auth",
    ),
    "B4 a refusal": Frame(
        golden=b'{"detail":"\'text\' is required"}',
        status=400,
        path="/generate",
        body={"language": "English", "speaker": "Vivian"},
        headers={},
        outcome="bad_request",
    ),
    "B4 a language": Frame(
        golden=(
            b'{"detail":"Unsupported language: Klingon. Supported: Auto, Chinese, English, German, Italian, Portuguese,'
            b' Spanish, Japanese, Korean, French, Russian"}'
        ),
        status=400,
        path="/generate",
        body={"text": "Hi.", "language": "Klingon", "speaker": "Vivian"},
        headers={},
        outcome="unsupported",
    ),
    "B4 the app's failure": Frame(
        golden=b'{"detail":"Generation failed: CUDA error: an illegal memory access was encountered"}',
        status=500,
        path="/generate",
        body={"text": "Hi.", "language": "English", "speaker": "Vivian"},
        headers={"X-Standin-Fault": "app-error"},
        outcome="overloaded",
    ),
}
VLLM = {
    "B3 a stream": Frame(
        golden=(
            f'event: speech.audio.delta\ndata: {{"type":"speech.audio.delta","audio":"{SAMPLES}",'
            '"response_format":"pcm"}\n\n'
            'event: speech.audio.done\ndata: {"type":"speech.audio.done","usage":{"input_tokens":4,'
            '"output_tokens":9,"total_tokens":9}}\n\n'
        ).encode(),
        content_type="text/event-stream",
        path="/v1/audio/speech",
        body=VLLM_HELLO | STREAMED,
        headers={},
        request={"stream": True},
        outcome="ok",
    ),
    "B3 an error in a stream": Frame(
        golden=(
            f'event: speech.audio.delta\ndata: {{"type":"speech.audio.delta","audio":"{SAMPLES}",'
            '"response_format":"pcm"}\n\n'
            'event: speech.audio.error\ndata: {"type":"speech.audio.error","error":{"message":'
            '"EngineCore encountered an issue.","type":"InternalServerError","param":null,"code":500}}\n\n'
        ).encode(),
        content_type="text/event-stream",
        path="/v1/audio/speech",
        body=VLLM_HELLO | STREAMED,
        headers={"X-Standin-Fault": "stream-error-event"},
        request={"stream": True},
        outcome="overloaded",
    ),
    "B3 a refusal": Frame(
        golden=b'{"error":{"message":"Input text cannot be empty","type":"BadRequestError","param":null,"code":400}}',
        status=400,
        path="/v1/audio/speech",
        body={"input": "", "voice": "Vivian"},
        headers={},
        outcome="bad_request",
    ),
    "B3 an unknown model": Frame(
        golden=(
            b'{"error":{"message":"The model `y` does not exist.","type":"NotFoundError","param":null,"code":404}}'
        ),
        status=404,
        path="/v1/audio/speech",
        body={"input": "x", "model": "y"},
        headers={},
        outcome="model_retired",
    ),
}
# Frames that no synthesis reads; the clients of voices and health are tested beside their modules.
ONLY_EMITTED = {
    "A6 a list": (
        {"action": "list"},
        f'{{"output":{{"page_index":0,"page_size":10,"total_count":1,"voice_list":[{{"voice":"{VOICE}",'
        '"target_model":"qwen3-tts-vd-2026-01-26","language":"en","voice_prompt":"A calm narrator.",'
        '"preview_text":"Hello.","gmt_create":"2026-03-01 12:00:00","gmt_modified":"2026-03-01 12:00:00"}]},'
        f'"usage":{{"count":0}},"request_id":"{UUID}"}}',
    ),
    "A6 a query": (
        {"action": "query", "voice": VOICE},
        f'{{"output":{{"voice":"{VOICE}","target_model":"qwen3-tts-vd-2026-01-26","language":"en",'
        '"voice_prompt":"A calm narrator.","preview_text":"Hello.","gmt_create":"2026-03-01 12:00:00",'
        f'"gmt_modified":"2026-03-01 12:00:00"}},"usage":{{}},"request_id":"{UUID}"}}',
    ),
    "A6 a deletion": (
        {"action": "delete", "voice": VOICE},
        f'{{"output":{{"voice":"{VOICE}"}},"usage":{{}},"request_id":"{UUID}"}}',
    ),
}
