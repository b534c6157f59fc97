"""Every kind of frame, to the byte and in both directions: the stand-ins write it so, and the clients read it.

Ids, times, signatures and samples differ from call to call; they are put to those of the golden bytes before comparing.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from harness.clock import FakeClock, SystemClock
from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import running_modal, running_qwen
from harness.exchanges import Failure, Speech
from harness.providers.base import Deadline
from harness.providers.realtime import RealtimeSpeech, Wish
from harness.speech import Operation
from tests.builders import a_request
from tests.faulted import VIVIAN, open_provider
from tests.harness.providers.stubs import Till, a_server, a_wav, sends

SPEAK = "/api/v1/services/aigc/multimodal-generation/generation"
VOICES = "/api/v1/services/audio/tts/customization"
KEY = {"Authorization": "Bearer sk-test"}
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


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def emitted(session: aiohttp.ClientSession, base_url: str, frame: Frame) -> tuple[int, str, bytes]:
    async with session.post(base_url + frame.path, json=frame.body, headers=dict(frame.headers)) as reply:
        return reply.status, reply.headers["Content-Type"], settled(await reply.read())


@pytest.mark.parametrize("frame", QWEN.values(), ids=QWEN.keys())
async def test_the_qwen_stand_in_writes_the_golden_bytes(session: aiohttp.ClientSession, frame: Frame) -> None:
    async with running_qwen() as standin:
        told = await emitted(session, standin.base_url, frame)

    assert told == (frame.status, frame.content_type, frame.golden) or _is_json(frame, told)


@pytest.mark.parametrize(("frame", "dialect"), [
    *(pytest.param(frame, Dialect.ENDPOINTS, id=name) for name, frame in MODAL.items()),
    *(pytest.param(frame, Dialect.VLLM, id=name) for name, frame in VLLM.items()),
])  # fmt: skip
async def test_the_modal_stand_in_writes_the_golden_bytes(
    session: aiohttp.ClientSession, frame: Frame, dialect: Dialect
) -> None:
    async with running_modal(ModalOptions(dialect=dialect)) as standin:
        told = await emitted(session, standin.base_url, frame)

    assert told == (frame.status, frame.content_type, frame.golden) or _is_json(frame, told)


def _is_json(frame: Frame, told: tuple[int, str, bytes]) -> bool:
    """The same but for a charset that JSON does not need."""
    return told == (frame.status, f"{frame.content_type}; charset=utf-8", frame.golden)


@pytest.mark.parametrize(("name", "frame"), [
    *(pytest.param("qwen", frame, id=name) for name, frame in QWEN.items()),
    *(pytest.param("modal", frame, id=name) for name, frame in MODAL.items()),
    *(pytest.param("modal openai", frame, id=name) for name, frame in VLLM.items()),
])  # fmt: skip
async def test_the_clients_read_the_golden_bytes(name: str, frame: Frame, tmp_path: Path) -> None:
    provider_name, _, dialect = name.partition(" ")
    settings = {**frame.settings, **({"dialect": dialect} if dialect else {})}
    request = a_request(voice=VIVIAN, **frame.request) if provider_name == "modal" else a_request(**frame.request)
    async with a_server(sends(a_wav())) as audio:
        content = frame.golden.replace(URL.encode(), f"{audio.url}/x.wav?Expires=1".encode())
        async with a_server(answering(content, frame)) as server:
            provider = open_provider(
                provider_name, server.url, tmp_path, also=audio.url, clock=FakeClock(), max_attempts=1, **settings
            )
            async with provider:
                exchange = await provider.synthesize(request, admission=Till(), deadline=Deadline(SystemClock(), 5.0))

    assert exchange.outcome == frame.outcome, exchange.result
    assert isinstance(exchange.result, Speech | Failure)


def answering(content: bytes, frame: Frame) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content, status=frame.status, headers={"Content-Type": frame.content_type})

    return answer


@pytest.mark.parametrize(("asked", "golden"), ONLY_EMITTED.values(), ids=ONLY_EMITTED.keys())
async def test_the_voices_of_the_account_are_written_to_the_byte(
    session: aiohttp.ClientSession, asked: dict[str, str], golden: str
) -> None:
    made = Frame(golden=b"", outcome="", path=VOICES, body={"model": "qwen-voice-design", "input": DESIGN})
    async with running_qwen() as standin:
        await emitted(session, standin.base_url, made)
        voice = next(iter(standin.account.voices))
        content = {"model": "qwen-voice-design", "input": {**asked, **({"voice": voice} if "voice" in asked else {})}}
        told = await emitted(session, standin.base_url, Frame(golden=b"", outcome="", path=VOICES, body=content))

    assert told == (200, "application/json", golden.encode())


async def test_an_address_without_a_signature_is_refused_in_the_words_of_the_object_store(
    session: aiohttp.ClientSession,
) -> None:
    async with running_qwen() as standin, session.get(f"{standin.audio_url}/x.wav") as reply:
        told = reply.status, reply.headers["Content-Type"], settled(await reply.read())

    assert told == (
        403,
        "application/xml; charset=utf-8",
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>AccessDenied</Code>\n'
        b"  <Message>You have no right to access this object because of bucket acl.</Message>\n"
        b"  <RequestId>" + b"0" * 24 + b"</RequestId>\n  <HostId>dashscope-result-standin</HostId>\n</Error>\n",
    )


async def test_a_request_that_is_held_is_sent_on_with_the_platforms_own_query(session: aiohttp.ClientSession) -> None:
    body = {"text": "Good morning.", "language": "English", "speaker": "Vivian"}
    async with (
        running_modal(ModalOptions(hold_s=0.0)) as standin,
        session.post(f"{standin.base_url}/generate", json=body, allow_redirects=False) as reply,
    ):
        location = settled(reply.headers["Location"].encode())

    assert (reply.status, location) == (303, b"http://host/generate?__modal_function_call_id=fc-" + b"0" * 26)


def ws(kind: str, fields: str) -> str:
    return f'{{"event_id":"event_{ZEROS}","type":"{kind}"{fields}}}'


SESSION = (
    '"object":"realtime.session","mode":"server_commit","model":"qwen3-tts-flash-realtime","voice":"{voice}",'
    f'"response_format":"pcm","sample_rate":24000,"id":"sess_{ZEROS}"'
)
RESPONSE = f'"id":"resp_{ZEROS}","object":"realtime.response","conversation_id":"","status":"{{status}}"'
ITEM = f'"id":"item_{ZEROS}","object":"realtime.item","type":"message","status":"{{status}}","role":"assistant"'
PLACE = f',"response_id":"resp_{ZEROS}","item_id":"item_{ZEROS}","output_index":0,"content_index":0'
DONE_ITEM = ITEM.format(status="completed") + ',"content":[{"type":"audio","transcript":""}]'
# One session in which one sentence is said, in the order and the words of the documents (providers.md A4).
REALTIME = [
    ws("session.created", f',"session":{{{SESSION.format(voice="")}}}'),
    ws("session.updated", f',"session":{{{SESSION.format(voice="Cherry")}}}'),
    ws("input_text_buffer.committed", ',"item_id":""'),
    ws("response.created", f',"response":{{{RESPONSE.format(status="in_progress")},"voice":"Cherry","output":[]}}'),
    ws(
        "response.output_item.added",
        f',"response_id":"resp_{ZEROS}","output_index":0,"item":{{{ITEM.format(status="in_progress")},"content":[]}}',
    ),
    ws("response.content_part.added", f'{PLACE},"part":{{"type":"audio","text":""}}'),
    ws("response.audio.delta", f'{PLACE},"delta":"{SAMPLES}"'),
    ws("response.audio.done", PLACE),
    ws("response.content_part.done", f'{PLACE},"part":{{"type":"audio","text":""}}'),
    ws("response.output_item.done", f',"response_id":"resp_{ZEROS}","output_index":0,"item":{{{DONE_ITEM}}}'),
    ws(
        "response.done",
        f',"response":{{{RESPONSE.format(status="completed")},"modalities":["text","audio"],"voice":"Cherry",'
        f'"output":[{{{DONE_ITEM}}}],"usage":{{"characters":13}}}}',
    ),
    ws("session.finished", ""),
]
SAID = [
    ws(
        "session.update",
        ',"session":{"voice":"Cherry","mode":"server_commit","language_type":"English","response_format":"pcm",'
        '"sample_rate":24000}',
    ),
    ws("input_text_buffer.append", ',"text":"Good morning."'),
    ws("session.finish", ""),
]
WISH = Wish(text="Good morning.", voice="Cherry", language_type="English", instructions=None)


def test_the_client_says_the_golden_events_and_hears_the_golden_session() -> None:
    speech = RealtimeSpeech(WISH, FakeClock())

    answers = [speech.hear(message) for message in REALTIME]

    said = [re.sub(r'"event_id": "[^"]*"', f'"event_id": "event_{ZEROS}"', line) for line in answers[0] or []]
    assert [json.loads(line) for line in said] == [json.loads(line) for line in SAID]
    assert [json.dumps(json.loads(line), separators=(",", ":")) for line in said] == SAID
    assert answers[1:] == [[]] * 10 + [None]
    assert (speech.problem, bytes(speech.pcm.data), speech.reported_chars) == (None, b"\x01\x00\x02\x00", 13)


async def test_the_stand_in_holds_the_golden_session(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        url = f"{standin.base_url}/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"
        async with session.ws_connect(url, headers=KEY) as socket:
            for line in SAID:
                await socket.send_str(line)
            heard = [settled(message.data.encode()).decode() async for message in socket]

    assert heard == REALTIME


async def test_the_stand_in_words_its_errors_and_a_cleared_buffer_as_documented(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        url = f"{standin.base_url}/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"
        async with session.ws_connect(url, headers=KEY) as socket:
            for line in (ws("input_text_buffer.clear", ""), SAID[1], SAID[0], ws("session.finish", "")):
                await socket.send_str(line)
            heard = [settled(message.data.encode()).decode() async for message in socket]

    late = "Session update error: session already started or finished or failed."
    assert heard[1] == ws("input_text_buffer.cleared", "")
    assert heard[2] == ws("error", f',"error":{{"code":"invalid_value","message":"{late}"}}')
