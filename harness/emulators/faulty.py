"""The layer in which injected faults happen: some before the work, some after it, some to the bytes of its result.

A stream shapes itself: it asks `fault_of(request)`.
"""

from collections.abc import Awaitable, Callable, Iterable
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from harness.clock import Clock
from harness.emulators.fault_audio import AUDIO_FAULTS
from harness.emulators.fault_bodies import BODY_FAULTS
from harness.emulators.fault_refusals import PLATFORM_REFUSALS, QWEN_REFUSALS, Refused
from harness.emulators.fault_stream import STREAM_FAULTS
from harness.emulators.fault_wire import WIRE_FAULTS, before_work, send_badly
from harness.emulators.faults import HEADER, Injected, Script, Side
from harness.emulators.sites import Handler
from harness.errors import UsageError

__all__ = ["fault_of", "fault_routes", "faulty", "modal_script", "qwen_script"]

_FAULT: Final = web.RequestKey("fault", Injected)
_API: Final = [*STREAM_FAULTS, *BODY_FAULTS, *WIRE_FAULTS]

Refuse = Callable[[web.Request, Refused], web.Response]


def qwen_script() -> Script:
    """A script in which everything goes well yet, for the Qwen stand-in."""
    return _script([*QWEN_REFUSALS, *_API])


def modal_script() -> Script:
    """The same for the Modal stand-in."""
    return _script([*PLATFORM_REFUSALS, *_API])


def _script(api: Iterable[str]) -> Script:
    sides = {**dict.fromkeys(api, Side.API), **dict.fromkeys(AUDIO_FAULTS, Side.AUDIO)}
    return Script(MappingProxyType(sides))


def fault_of(request: web.Request) -> Injected | None:
    """The fault that the request meets."""
    return request.get(_FAULT)


def fault_routes(script: Script) -> list[web.RouteDef]:
    """Put another script in place of what is left of this one, without stopping."""

    async def replace(request: web.Request) -> web.Response:
        try:
            script.load(await request.json())
        except (ValueError, UsageError) as error:
            return web.Response(status=400, text=f"{error}\n")
        return web.json_response({"faults": "loaded"})

    return [web.post("/_standin/faults", replace)]


def faulty(script: Script, *sides: Side, refuse: Refuse, clock: Clock) -> Middleware:
    """The layer, for an application that answers as `sides`; `refuse` words a refusal as that application does."""

    @web.middleware
    async def injecting(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_standin/"):
            return await handler(request)
        try:
            fault = script.take(request.path, sides, request.headers.get(HEADER))
            if fault is not None:
                request[_FAULT] = fault
                return await _met(request, fault, lambda: handler(request), refuse=refuse, clock=clock)
        except UsageError as error:
            return web.Response(status=400, text=f"{error}\n")
        return await handler(request)

    return injecting


async def _met(
    request: web.Request,
    fault: Injected,
    work: Callable[[], Awaitable[web.StreamResponse]],
    *,
    refuse: Refuse,
    clock: Clock,
) -> web.StreamResponse:
    refused = QWEN_REFUSALS.get(fault.name) or PLATFORM_REFUSALS.get(fault.name)
    if refused is not None:
        response = refuse(request, refused)
        if "retry_after" in fault.parameters:
            response.headers["Retry-After"] = fault.text("retry_after", "")
        return response
    await before_work(request, fault)
    response_or_stream = await work()
    if not isinstance(response_or_stream, web.Response):
        return response_or_stream
    response = response_or_stream
    if fault.name in BODY_FAULTS:
        return BODY_FAULTS[fault.name](response, fault)
    if fault.name in AUDIO_FAULTS and response.content_type.startswith("audio/") and isinstance(response.body, bytes):
        response.body = AUDIO_FAULTS[fault.name](response.body)
        return response
    return await send_badly(request, response, fault, clock=clock)
