"""Synthesis at the Qwen stand-in: one POST, answered when the audio is ready, or as a stream (providers.md A2, A3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from harness.emulators.audio import pcm_of
from harness.emulators.calls import Call
from harness.emulators.latency import QWEN_SPEECH
from harness.emulators.qwen_catalogue import MODELS, REALTIME_MODELS, language_of, model_not_found, timbre_for
from harness.emulators.qwen_results import Results
from harness.emulators.qwen_service import Service
from harness.emulators.qwen_stream import frames_of, pieces_of, send
from harness.emulators.qwen_wire import Refusal, missing, read_body, reply, request_id_of, text_at
from harness.emulators.studio import record
from harness.emulators.timbres import Timbre
from harness.emulators.voices import Line, Rendition
from harness.speech import billed_chars

__all__ = ["Speaking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A synthesis that can be done."""

    model: str
    text: str
    timbre: Timbre
    language: str | None  # ISO 639-1
    instructions: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A synthesis that was done, faster than it will be told."""

    wav: bytes
    call: Call
    chars: int  # billed
    arrived_s: float


class Speaking:
    """The synthesis endpoint."""

    def __init__(self, service: Service, results: Results) -> None:
        self._service = service
        self._results = results

    async def speak(self, request: web.Request) -> web.StreamResponse:
        """Answer one synthesis."""
        service = self._service
        arrived_s = service.clock.monotonic()
        _refuse_tasks(request)
        order = self._read(await read_body(request))
        service.admit(order.model)
        call = service.calls.next(order.model, order.text, order.language, order.timbre.name, order.instructions)
        line = Line(
            text=order.text,
            language=order.language,
            timbre=order.timbre,
            rendition=Rendition.HOSTED,
            take=call.take,
            knobs=service.knobs,
        )
        wav = await service.studio.run(partial(record, line, damage=service.conduct.damage(call)))
        done = _Done(wav=wav, call=call, chars=billed_chars(order.text), arrived_s=arrived_s)
        if request.headers.get("X-DashScope-SSE", "").casefold() == "enable":
            return await self._stream(request, order, done)
        await service.take_time(call, QWEN_SPEECH, chars=done.chars, since_s=arrived_s)
        fault = service.conduct.fault(call)
        service.refuse_if_down(fault)
        units = self._bill(request, order, done)
        if fault:
            await service.lose_reply(request, fault)
        return reply(request, self._result(wav, units, request_id_of(request)))

    async def _stream(self, request: web.Request, order: _Order, done: _Done) -> web.StreamResponse:
        """Answer while speaking; what fails in this scenario fails before the first event."""
        service = self._service
        fault = service.conduct.fault(done.call)
        service.refuse_if_down(fault)
        units = self._bill(request, order, done)
        if fault:
            await service.lose_reply(request, fault)
        frames = frames_of(
            pieces_of(pcm_of(done.wav)),
            units=units,
            request_id=request_id_of(request),
            result=self._results.put(done.wav),
            now_unix_s=int(service.clock.now().timestamp()),
        )
        due_s = service.schedule_s(done.call, len(frames), chars=done.chars, since_s=done.arrived_s)
        return await send(request, frames, due_s, clock=service.clock)

    def _bill(self, request: web.Request, order: _Order, done: _Done) -> int:
        units = done.chars * self._service.conduct.bill_factor
        self._service.account.bill(order.model, "characters", units, request_id=request_id_of(request))
        return units

    def _read(self, body: Mapping[str, Any]) -> _Order:
        model = self._model(body.get("model"))
        content = body.get("input")
        if not isinstance(content, dict) or not content:
            raise missing("Input")
        extra = body.get("parameters")  # an older SDK sends what it does not know up there (providers.md A2)
        elsewhere = text_at(extra, "instructions") if isinstance(extra, dict) else None
        return _Order(
            model=model,
            text=self._text(content),
            timbre=timbre_for(model, text_at(content, "voice", required=True) or "", self._service.account),
            language=language_of(text_at(content, "language_type")),
            instructions=text_at(content, "instructions") or elsewhere,
        )

    def _model(self, model: object) -> str:
        if not model:
            raise missing("Model")
        if not isinstance(model, str):
            raise model_not_found()
        if model in REALTIME_MODELS or model.startswith(("qwen-audio-", "cosyvoice-")):
            raise Refusal(400, "InvalidParameter", "url error, please check url")  # a model of another endpoint
        if model not in MODELS or model in self._service.options.retired:
            raise model_not_found()
        return model

    def _text(self, content: Mapping[str, Any]) -> str:
        text = text_at(content, "text", required=True) or ""
        limit = self._service.options.max_chars
        if limit is not None and len(text) > limit:
            # Neither the code nor the words of this refusal are documented for speech (providers.md F).
            raise Refusal(400, "InvalidParameter", f"Range of input length should be [1, {limit}]")
        return text

    def _result(self, wav: bytes, units: int, request_id: str) -> dict[str, Any]:
        url, expires_at = self._results.put(wav)
        audio = {"data": "", "expires_at": expires_at, "id": f"audio_{request_id}", "url": url}
        return {"output": {"audio": audio, "finish_reason": "stop"}, "usage": {"characters": units}}


def _refuse_tasks(request: web.Request) -> None:
    """A task to come back for is asked for by header; speech is no such thing.

    Raises:
        Refusal: One was asked for.
    """
    if request.headers.get("X-DashScope-Async", "").casefold() == "enable":
        raise Refusal(403, "AccessDenied", "current user api does not support asynchronous calls.")
