"""The legacy path as a web application: open Qwen3-TTS behind Modal's web endpoints (providers.md B1, B4)."""

from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from harness.clock import Clock
from harness.emulators.account import Account
from harness.emulators.faults import Script, Side
from harness.emulators.faulty import fault_routes, faulty
from harness.emulators.modal_bodies import (
    CancelBody,
    CloneBody,
    DesignBody,
    GenerateBody,
    Problem,
    as_json,
    explained,
    language_of,
    read_body,
    refuse,
    required,
    required_short,
)
from harness.emulators.modal_calls import FunctionCall
from harness.emulators.modal_holding import Holding, plain_audio
from harness.emulators.modal_work import GpuWork
from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.scenarios import conduct_in
from harness.emulators.sites import Handler, application, meter_routes
from harness.emulators.studio import Studio
from harness.emulators.vllm import OpenAiSpeech
from harness.emulators.vllm_bodies import as_openai_errors, refuse_as_openai
from harness.preset_voices import OPEN_MODEL
from harness.speech import LANGUAGES

__all__ = ["modal_application"]

_MAX_BODY_BYTES: Final = 64 << 20  # Modal's own limit is not documented (providers.md F)


def modal_application(
    options: ModalOptions, *, account: Account, studio: Studio, script: Script, clock: Clock
) -> web.Application:
    """The deployment.

    Raises:
        UsageError: The scenario or the model is unknown.
    """
    conduct_in(options.scenario, "modal")  # healthy in all of them; a misspelt name stops here
    work = GpuWork(options, account=account, studio=studio, clock=clock)
    if options.dialect is Dialect.VLLM:
        speech = OpenAiSpeech(options, work, clock=clock)
        routes, explain, refusing = speech.routes(), as_openai_errors, refuse_as_openai
    else:
        speech = None
        routes, explain, refusing = Endpoints(options, work, clock=clock).routes(), explained, refuse

    def begin_anew() -> None:
        script.reset()
        work.reset()
        if speech:
            speech.begin_anew()

    routes += [*meter_routes(account, begin_anew), *fault_routes(script)]
    layers = [
        explain,
        _authorization(options.key, options.secret),
        faulty(script, Side.API, Side.AUDIO, refuse=refusing, clock=clock),
    ]
    return application(account, routes, layers=layers, max_body_bytes=_MAX_BODY_BYTES)


def _authorization(key: str | None, secret: str | None) -> Middleware:
    """Modal's proxy authorization; everybody passes when no key is set."""

    @web.middleware
    async def authorized(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Modal-Key"), request.headers.get("Modal-Secret")
        if key is None or given == (key, secret) or request.path.startswith("/_standin/"):
            return await handler(request)
        # Only the words for missing credentials are documented; those for wrong ones are ours.
        problem = "missing" if None in given else "invalid"
        return web.Response(status=401, text=f"modal-http: {problem} credentials for proxy authorization")

    return authorized


class Endpoints:
    """One deployment of the app."""

    def __init__(self, options: ModalOptions, work: GpuWork, *, clock: Clock) -> None:
        self._options = options
        self._work = work
        self._clock = clock
        self._holding = Holding(options, work.calls, clock=clock)

    def routes(self) -> list[web.RouteDef]:
        """Every path of the app; what is slow can also be asked for again by the id of its call."""
        spoken = {"/clone": self._clone, "/design": self._design, "/generate": self._generate}
        routes = [web.post(path, handler) for path, handler in spoken.items()]
        routes += [web.get(path, self._holding.again) for path in spoken]
        return [
            *routes,
            web.post("/submit-job", self._submit),
            web.get("/job-status", self._status),
            web.get("/job-result", self._result),
            web.post("/job-cancel", self._cancel),
            web.get("/health", self._health),
        ]

    async def _clone(self, request: web.Request) -> web.StreamResponse:
        return await self._holding.held(request, self._start_clone(await read_body(request, CloneBody)), plain_audio)

    async def _design(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, DesignBody)
        text, description = required_short(body.text, "text"), required_short(body.instruct, "instruct")
        return await self._holding.held(
            request, self._work.design(text, language_of(body.language), description), plain_audio
        )

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, GenerateBody)
        text, speaker = required(body.text, "text"), required(body.speaker, "speaker")
        if speaker.casefold() not in (known.casefold() for known in OPEN_MODEL):
            raise Problem(400, f"Unsupported speaker: {speaker}. Supported: {', '.join(OPEN_MODEL)}")
        call = self._work.generate(text, language_of(body.language), speaker, body.instruct)
        return await self._holding.held(request, call, plain_audio)

    def _start_clone(self, body: CloneBody) -> FunctionCall:
        text = required(body.text, "text")
        language = language_of(body.language)
        required(body.ref_text, "ref_text")
        if body.ref_audio_base64:
            return self._work.clone(text, language, body.ref_audio_base64, max_tokens=body.max_new_tokens)
        if body.ref_audio_url:
            # A stand-in reaches nothing but its caller, so every download fails.
            raise Problem(500, "Generation failed: cannot download ref_audio_url")
        raise Problem(400, "Either 'ref_audio_url' or 'ref_audio_base64' is required")

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, CloneBody)
        if body.ref_audio_base64 is None:
            raise Problem(400, "'ref_audio_base64' is required")
        call = self._start_clone(body)
        self._work.calls.keep(call)
        return as_json({"job_id": call.id, "status": "submitted", "text_length": len(body.text or "")})

    async def _status(self, request: web.Request) -> web.StreamResponse:
        call = self._job(request.query.get("job_id"))
        status = self._state(call)
        body: dict[str, Any] = {"job_id": call.id, "status": status, "result_ready": status == "completed"}
        if status == "running":
            elapsed_s = (self._clock.monotonic() - call.started_s) / self._options.time_scale
            body["elapsed_seconds"] = round(elapsed_s, 1)
        if status == "failed":
            body["error"] = str(call.wav.exception())
        return as_json(body)

    async def _result(self, request: web.Request) -> web.StreamResponse:
        call = self._job(request.query.get("job_id"))
        state = self._state(call)
        if state == "running":
            return as_json({"detail": "Job still processing"}, status=202)
        if state == "completed":
            return await plain_audio(call)
        reason = "job was cancelled" if state == "cancelled" else call.wav.exception()
        raise Problem(500, f"Failed to get result: {reason}")

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        call = self._job((await read_body(request, CancelBody)).job_id)
        self._work.cancel(call)
        return as_json({"cancelled": call.is_cancelled})

    async def _health(self, request: web.Request) -> web.StreamResponse:
        # It runs on the GPU, so asking for health can cause a cold start (providers.md B4).
        place = self._work.containers.admit(0.0)
        await self._clock.sleep(place.due_s - self._clock.monotonic())
        return as_json(
            {
                "status": "healthy",
                "model": self._options.model,
                "gpu": f"NVIDIA {self._work.gpu}",
                "attention_implementation": "sdpa",
                "supported_languages": ["Auto", *LANGUAGES.values()],
            }
        )

    def _job(self, job_id: str | None) -> FunctionCall:
        if job_id is None:
            problem = {"type": "missing", "loc": ["query", "job_id"], "msg": "Field required", "input": None}
            raise Problem(422, [problem])
        call = self._work.calls.find(job_id)
        if call is None:
            raise Problem(404, "Job not found or expired")
        return call

    def _state(self, call: FunctionCall) -> str:
        if call.is_cancelled:
            return "cancelled"
        if self._clock.monotonic() < call.due_s or not call.wav.done():
            return "running"
        return "failed" if call.wav.exception() else "completed"
