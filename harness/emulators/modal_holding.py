"""How Modal holds a web request: for a while, then 303 to an address where to wait on (providers.md B1)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from harness.clock import Clock
from harness.emulators.modal_calls import FunctionCall, FunctionCalls
from harness.emulators.options import ModalOptions

__all__ = ["Answer", "Holding", "plain_audio"]

_CALL_ID: Final = "__modal_function_call_id"

Answer = Callable[[FunctionCall], Awaitable[web.StreamResponse]]


class Holding:
    """The platform in front of one deployment."""

    def __init__(self, options: ModalOptions, calls: FunctionCalls, *, clock: Clock) -> None:
        self._options = options
        self._calls = calls
        self._clock = clock
        self._answers: dict[str, Answer] = {}  # of calls that were answered 303, by id

    async def held(self, request: web.Request, call: FunctionCall, answer: Answer) -> web.StreamResponse:
        """The answer once the call is done, or after a while the address where to wait on."""
        limit_s = self._clock.monotonic() + self._options.hold_s * self._options.time_scale
        await self._clock.sleep(min(call.due_s, limit_s) - self._clock.monotonic())
        if call.due_s <= limit_s:
            return await answer(call)
        self._calls.keep(call)
        self._answers = {known: kept for known, kept in self._answers.items() if self._calls.find(known)}
        self._answers[call.id] = answer
        target = request.url.with_query({_CALL_ID: call.id})
        return web.Response(status=303, headers={"Location": str(target)})

    async def again(self, request: web.Request) -> web.StreamResponse:
        """Wait on, without doing the work again."""
        call_id = request.query.get(_CALL_ID)
        if call_id is None:
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        call = self._calls.find(call_id)
        answer = self._answers.get(call_id)
        if call is None or answer is None:  # the platform's answer is not documented (providers.md F)
            return web.Response(status=404, text="modal-http: function call not found")
        return await self.held(request, call, answer)


async def plain_audio(call: FunctionCall) -> web.Response:
    """The finished audio; somebody who goes away does not stop the work."""
    wav = await asyncio.shield(call.wav)
    headers = {**call.headers, "Content-Disposition": "attachment; filename=output.wav"}
    return web.Response(body=wav, content_type="audio/wav", headers=headers)
