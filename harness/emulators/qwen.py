"""The official Qwen API as a web application: keys and paths; the endpoints do the work."""

from typing import Final

from aiohttp import web

from harness.clock import Clock
from harness.emulators.account import Account
from harness.emulators.calls import Calls
from harness.emulators.faults import Script, Side
from harness.emulators.faulty import fault_routes, faulty
from harness.emulators.knobs import knobs_from
from harness.emulators.options import QwenOptions
from harness.emulators.quota import Quota
from harness.emulators.qwen_realtime import Realtime
from harness.emulators.qwen_results import Results
from harness.emulators.qwen_service import Service
from harness.emulators.qwen_speech import Speaking
from harness.emulators.qwen_voices import Customization
from harness.emulators.qwen_wire import Refusal, enveloped, refuse
from harness.emulators.scenarios import conduct_in
from harness.emulators.sites import Handler, application, meter_routes
from harness.emulators.studio import Studio

__all__ = ["qwen_application"]

_MAX_BODY_BYTES: Final = 16 << 20  # a reference of 10 MB, its JSON, and room to refuse a larger one by name


def qwen_application(
    options: QwenOptions, *, account: Account, studio: Studio, results: Results, script: Script, clock: Clock
) -> web.Application:
    """The API.

    Raises:
        UsageError: The scenario or a knob is unknown.
    """
    service = Service(
        options=options,
        conduct=conduct_in(options.scenario, "qwen"),
        calls=Calls(options.seed),
        quota=Quota(options, clock),
        account=account,
        studio=studio,
        clock=clock,
        knobs=knobs_from(options.sound),
    )

    def begin_anew() -> None:
        script.reset()
        service.quota.reset()
        service.calls.reset()

    @web.middleware
    async def authorized(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/_standin/") and not _is_known(request, options):
            raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")
        return await handler(request)

    routes = [
        web.post("/api/v1/services/aigc/multimodal-generation/generation", Speaking(service, results).speak),
        web.post("/api/v1/services/audio/tts/customization", Customization(service).handle),
        web.get("/api-ws/v1/realtime", Realtime(service).converse),
        *meter_routes(account, begin_anew),
        *fault_routes(script),
    ]
    layers = [enveloped, authorized, faulty(script, Side.API, refuse=refuse, clock=clock)]
    return application(account, routes, layers=layers, max_body_bytes=_MAX_BODY_BYTES)


def _is_known(request: web.Request, options: QwenOptions) -> bool:
    """Whether the key is good here: keys belong to a region, and to no other (providers.md A1)."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() != "bearer":
        return False
    if options.region_keys:
        return (options.region, key) in options.region_keys
    return key == options.api_key if options.api_key is not None else key.startswith("sk-")
