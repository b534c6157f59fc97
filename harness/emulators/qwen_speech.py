"""Synthesis at the Qwen stand-in: one POST, answered when the audio lies ready under its address (providers.md A2)."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from harness.clock import Clock
from harness.emulators.account import Account
from harness.emulators.calls import Calls
from harness.emulators.latency import QWEN_SPEECH, stall_s
from harness.emulators.options import QwenOptions
from harness.emulators.qwen_catalogue import MODELS, language_of, model_not_found, timbre_for
from harness.emulators.qwen_faults import fail
from harness.emulators.qwen_results import Results
from harness.emulators.qwen_wire import Refusal, invalid, missing, read_body, reply, request_id_of, text_at
from harness.emulators.scenarios import Conduct, Fault
from harness.emulators.studio import Studio, record
from harness.emulators.throttle import TokenBucket
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


class Speaking:
    """The synthesis endpoint."""

    def __init__(
        self,
        options: QwenOptions,
        *,
        conduct: Conduct,
        calls: Calls,
        account: Account,
        studio: Studio,
        results: Results,
        clock: Clock,
    ) -> None:
        self._options = options
        self._conduct = conduct
        self._calls = calls
        self._account = account
        self._studio = studio
        self._results = results
        self._clock = clock
        bucket = partial(TokenBucket, options.requests_per_minute, time_scale=options.time_scale, clock=clock)
        self._quota: defaultdict[str, TokenBucket] = defaultdict(bucket)

    async def speak(self, request: web.Request) -> web.StreamResponse:
        """Answer one synthesis."""
        arrived_s = self._clock.monotonic()
        _refuse_other_modes(request)
        order = self._read(await read_body(request))
        if not self._quota[order.model].take():
            raise Refusal(429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.")
        call = self._calls.next(order.model, order.text, order.language, order.timbre.name, order.instructions)
        chars = billed_chars(order.text)
        stalls = self._conduct.stalls(call)
        random = call.random("latency")
        service_s = stall_s(chars, random) if stalls else QWEN_SPEECH.draw_s(chars, random)
        due_s = arrived_s + service_s * self._options.time_scale
        fault = self._conduct.fault(call)
        if fault in (Fault.INTERNAL_ERROR, Fault.UNAVAILABLE):
            await self._clock.sleep(due_s - self._clock.monotonic())
            await fail(request, fault)
        line = Line(
            text=order.text, language=order.language, timbre=order.timbre, rendition=Rendition.HOSTED, take=call.take
        )
        wav = await self._studio.run(partial(record, line, damage=self._conduct.damage(call)))
        await self._clock.sleep(due_s - self._clock.monotonic())
        units = chars * self._conduct.bill_factor
        self._account.bill(order.model, "characters", units, request_id=request_id_of(request))
        if fault:
            await fail(request, fault)
        return reply(request, self._result(wav, units, request_id_of(request)))

    def _read(self, body: Mapping[str, Any]) -> _Order:
        model = body.get("model")
        if not model:
            raise missing("Model")
        content = body.get("input")
        if not isinstance(content, dict) or not content:
            raise missing("Input")
        self._check_model(model)
        text = text_at(content, "text", required=True) or ""
        if self._options.max_chars is not None and len(text) > self._options.max_chars:
            limit = self._options.max_chars
            # Neither the code nor the words of this refusal are documented for speech (providers.md F).
            raise Refusal(400, "InvalidParameter", f"Range of input length should be [1, {limit}]")
        extra = body.get("parameters")  # an older SDK sends what it does not know up there (providers.md A2)
        instructions = text_at(content, "instructions") or (
            text_at(extra, "instructions") if isinstance(extra, dict) else None
        )
        voice = text_at(content, "voice", required=True) or ""
        return _Order(
            model=model,
            text=text,
            timbre=timbre_for(model, voice, self._account),
            language=language_of(text_at(content, "language_type")),
            instructions=instructions,
        )

    def _check_model(self, model: object) -> None:
        if not isinstance(model, str):
            raise model_not_found()
        if model.startswith(("qwen-audio-", "cosyvoice-")):
            raise Refusal(400, "InvalidParameter", "url error, please check url")  # a model of another endpoint
        if model not in MODELS or model in self._options.retired:
            raise model_not_found()

    def _result(self, wav: bytes, units: int, request_id: str) -> dict[str, Any]:
        url, expires_at = self._results.put(wav)
        audio = {"data": "", "expires_at": expires_at, "id": f"audio_{request_id}", "url": url}
        return {"output": {"audio": audio, "finish_reason": "stop"}, "usage": {"characters": units}}


def _refuse_other_modes(request: web.Request) -> None:
    """Streaming and tasks are asked for by header; this endpoint answers neither.

    Raises:
        Refusal: One was asked for.
    """
    if request.headers.get("X-DashScope-Async", "").casefold() == "enable":
        raise Refusal(403, "AccessDenied", "current user api does not support asynchronous calls.")
    if request.headers.get("X-DashScope-SSE", "").casefold() == "enable":
        raise invalid("X-DashScope-SSE")
