"""The legacy path in its second dialect: vLLM-Omni's OpenAI-style speech API, on Modal too (providers.md B3).

A real server serves one checkpoint; this one plays all three of its size, as the endpoints of the first dialect do.
"""

import asyncio
import base64
import json
from functools import partial
from typing import Any, Final

from aiohttp import web

from harness.clock import Clock
from harness.emulators.audio import RATE_HZ, decode_recording, encode, pcm_of
from harness.emulators.fault_stream import ErrorFrames, Frame, outgoing
from harness.emulators.faulty import fault_of
from harness.emulators.latency import VLLM_FIRST_PIECE_S
from harness.emulators.modal_bodies import Problem, as_json, language_of
from harness.emulators.modal_calls import FunctionCall
from harness.emulators.modal_holding import Holding
from harness.emulators.modal_work import GpuWork, Manner
from harness.emulators.options import ModalOptions
from harness.emulators.sites import break_connection
from harness.emulators.vllm_bodies import SpeechBody, Task, inline_audio, read_speech
from harness.emulators.vllm_voices import UploadedVoices
from harness.preset_voices import OPEN_MODEL

__all__ = ["OpenAiSpeech"]

_MIME: Final = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "pcm": "audio/pcm", "opus": "audio/ogg"}
_SAMPLES_A_TOKEN: Final = 1_920
_CHARS_A_TOKEN: Final = 4  # about, of text
_PIECE_BYTES: Final = 25 * 2 * _SAMPLES_A_TOKEN  # 25 codec frames, two seconds: vLLM-Omni's default chunk is not known


class OpenAiSpeech:
    """One server."""

    def __init__(self, options: ModalOptions, work: GpuWork, *, clock: Clock) -> None:
        self._options = options
        self._work = work
        self._clock = clock
        self._holding = Holding(options, work.calls, clock=clock)
        self._voices = UploadedVoices(clock)
        size = options.model.rsplit("-", 1)[0]
        self._models = [f"{owner}{size}-{task}" for owner in ("Qwen/", "") for task in Task]

    def routes(self) -> list[web.RouteDef]:
        """Every path of the server."""
        paths = [
            web.post("/v1/audio/speech", self._checked(self._speak)),
            web.get("/v1/audio/speech", self._checked(self._holding.again)),
            web.get("/v1/models", self._checked(self._list_models)),
            web.get("/health", self._health),
        ]
        checked = [web.route(route.method, route.path, self._checked(route.handler)) for route in self._voices.routes()]
        return [*paths, *checked]

    def begin_anew(self) -> None:
        """Forget the uploaded voices, as a restarted server has."""
        self._voices.clear()

    def _checked(self, handler: Any) -> Any:
        """`handler` behind the server's own key, if it has one."""

        async def checked(request: web.Request) -> web.StreamResponse:
            key = self._options.api_key
            if key is not None and request.headers.get("Authorization") != f"Bearer {key}":
                return as_json({"error": "Unauthorized"}, status=401)
            response: web.StreamResponse = await handler(request)
            return response

        return checked

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        body = await read_speech(request)
        if body.model is not None and body.model not in self._models:
            raise Problem(404, f"The model `{body.model}` does not exist.")
        call = self._start(body)
        if body.is_streamed:
            return await self._stream(request, body, call)
        return await self._holding.held(request, call, partial(self._whole, body))

    def _start(self, body: SpeechBody) -> FunctionCall:
        """Begin the work that the body asks for; the task is inferred as the server infers it."""
        language, voice = language_of(body.language), body.voice_name
        manner = Manner(seed=body.seed, pace=body.speed)
        uploaded = self._voices.find(voice) if voice else None
        has_reference = body.ref_audio is not None or body.ref_text is not None or uploaded is not None
        task = body.task_type or (Task.BASE if has_reference else Task.CUSTOM_VOICE)
        if task is Task.VOICE_DESIGN:
            if not body.instructions:
                raise Problem(400, "VoiceDesign task requires 'instructions' to describe the voice")
            return self._work.design(body.input, language, body.instructions, manner=manner)
        if task is Task.BASE:
            recording = uploaded.recording if uploaded else inline_audio(_reference(body))
            return self._work.clone(body.input, language, recording, max_tokens=body.max_new_tokens, manner=manner)
        speaker = voice or OPEN_MODEL[0]
        if speaker.casefold() not in (known.casefold() for known in OPEN_MODEL):
            raise Problem(400, f"Invalid speaker '{speaker}'. Supported: {', '.join(OPEN_MODEL)}")
        return self._work.generate(body.input, language, speaker, body.instructions, manner=manner)

    async def _whole(self, body: SpeechBody, call: FunctionCall) -> web.StreamResponse:
        wav = await asyncio.shield(call.wav)
        data = await asyncio.to_thread(_encoded, wav, body)
        tokens = _tokens(body, wav)
        headers = {f"x-vllm-omni-{name.replace('_', '-')}": str(count) for name, count in tokens.items()}
        return web.Response(body=data, content_type=_MIME[body.response_format], headers={**call.headers, **headers})

    async def _stream(self, request: web.Request, body: SpeechBody, call: FunctionCall) -> web.StreamResponse:
        wav = await asyncio.shield(call.wav)
        data = await asyncio.to_thread(_encoded, wav, body)
        pieces = [data[at : at + _PIECE_BYTES] for at in range(0, len(data), _PIECE_BYTES)]
        is_sse = body.stream_format != "audio"
        frames = _frames(pieces, body, wav)
        stream = outgoing(_fault_name(request), frames, _ERRORS) if is_sse else None
        out = stream.pieces if stream else pieces
        response = web.StreamResponse(headers=dict(call.headers))
        response.content_type = "text/event-stream" if is_sse else _MIME[body.response_format]
        due_s = self._due_times_s(call, len(out))
        await self._clock.sleep(due_s[0] - self._clock.monotonic())
        await response.prepare(request)
        for piece, at_s in zip(out, due_s, strict=True):
            await self._clock.sleep(at_s - self._clock.monotonic())
            await response.write(piece)
        if stream and stream.breaks:
            await break_connection(request)
        await response.write_eof()
        return response

    def _due_times_s(self, call: FunctionCall, count: int) -> list[float]:
        """The first piece soon after the work begins, the last when it is done."""
        scale = self._options.time_scale
        begun_s = call.due_s - float(call.headers["X-Inference-Seconds"]) * scale
        first_s = min(call.due_s, begun_s + VLLM_FIRST_PIECE_S * scale)
        return [first_s + (call.due_s - first_s) * number / max(1, count - 1) for number in range(count)]

    async def _list_models(self, request: web.Request) -> web.Response:
        model = {"id": f"Qwen/{self._options.model}", "object": "model", "owned_by": "vllm", "created": 0}
        return as_json({"object": "list", "data": [model]})

    async def _health(self, request: web.Request) -> web.Response:
        # It runs on the GPU, so asking for health can cause a cold start (providers.md B4).
        place = self._work.containers.admit(0.0)
        await self._clock.sleep(place.due_s - self._clock.monotonic())
        return web.Response()


def _reference(body: SpeechBody) -> str:
    if body.ref_audio is None:
        raise Problem(400, "Base task requires 'ref_audio' for voice cloning")
    if not body.ref_text and not body.x_vector_only_mode:
        raise Problem(400, "Base task requires 'ref_text' unless 'x_vector_only_mode' is set")
    return body.ref_audio


def _encoded(wav: bytes, body: SpeechBody) -> bytes:
    """The audio in the format and at the rate that were asked for."""
    rate_hz = body.sample_rate or RATE_HZ
    if (body.response_format, rate_hz) == ("wav", RATE_HZ):
        return wav
    samples = decode_recording(wav).samples
    return encode(samples, extension=body.response_format, rate_hz=rate_hz)


def _tokens(body: SpeechBody, wav: bytes) -> dict[str, int]:
    """The server's account of the work; it has no bill."""
    text = -(-len(body.input) // _CHARS_A_TOKEN)
    audio = len(body.ref_audio or "") * 3 // 4 // 2 // _SAMPLES_A_TOKEN
    output = len(pcm_of(wav)) // 2 // _SAMPLES_A_TOKEN
    return {
        "input_tokens": text + audio,
        "output_tokens": output,
        "total_tokens": text + audio + output,
        "input_text_tokens": text,
        "input_audio_tokens": audio,
    }


def _frames(pieces: list[bytes], body: SpeechBody, wav: bytes) -> list[Frame]:
    deltas = [
        _frame("speech.audio.delta", audio=base64.b64encode(piece).decode(), response_format=body.response_format)
        for piece in pieces
    ]
    usage = {name: count for name, count in _tokens(body, wav).items() if name.count("_") == 1}
    return [*deltas, _frame("speech.audio.done", usage=usage)]


def _frame(kind: str, **fields: Any) -> Frame:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return Frame((f"event: {kind}", f"data: {data}"))


_FAILED: Final = _frame(
    "speech.audio.error",
    error={"message": "EngineCore encountered an issue.", "type": "InternalServerError", "param": None, "code": 500},
)
_ERRORS: Final = ErrorFrames(event=_FAILED, data=Frame(_FAILED.lines[1:]))


def _fault_name(request: web.Request) -> str | None:
    fault = fault_of(request)
    return fault.name if fault else None
