"""Realtime synthesis at the Qwen stand-in: text in as it is written, audio out as it is spoken (providers.md A4).

A client's messages are taken one after the other: what arrives during a response is answered after it.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from aiohttp import ClientConnectionResetError, WSMsgType, web

from harness.emulators.faulty import fault_of
from harness.emulators.knobs import Knobs
from harness.emulators.qwen_catalogue import REALTIME_MODELS, model_not_found
from harness.emulators.qwen_service import Service
from harness.emulators.qwen_stream import pieces_of
from harness.emulators.qwen_wire import Refusal, missing, request_id_of
from harness.emulators.realtime_events import Message, Spoken, error, event
from harness.emulators.realtime_session import SessionConfig, configured
from harness.emulators.sites import break_connection
from harness.speech import billed_chars

__all__ = ["Realtime"]

_LATE_UPDATE: Final = "Session update error: session already started or finished or failed."
_SENTENCE: Final = re.compile(
    r".*?(?:[。！？]|[.!?](?=\s))\s*", re.DOTALL
)  # a full stop at the end may be "3." of "3.5"


class Realtime:
    """The WebSocket endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def converse(self, request: web.Request) -> web.StreamResponse:
        """Hold one session, to its end."""
        model = request.query.get("model")
        if not model:
            raise missing("Model")
        if model not in REALTIME_MODELS or model in self._service.options.retired:
            # How the handshake of an unknown model fails is not documented (providers.md F).
            raise model_not_found()
        self._service.admit(model)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            await _Conversation(self._service, request, socket, SessionConfig(model=model)).run()
        except ClientConnectionResetError:
            pass  # the client has left
        finally:
            await socket.close()
        return socket


class _Conversation:
    """One session under way."""

    def __init__(
        self, service: Service, request: web.Request, socket: web.WebSocketResponse, config: SessionConfig
    ) -> None:
        self._service = service
        self._request = request
        self._socket = socket
        self._config = config
        self._id = f"sess_{uuid4().hex}"
        self._buffer = ""
        self._has_begun = False
        self._has_spoken = False
        self._is_over = False
        injected = fault_of(request)
        self._fault = injected.name if injected else None  # of those of a stream; see fault_stream.py

    async def run(self) -> None:
        """Answer until the client has finished or left."""
        answers: MappingProxyType[str, Callable[[Message], Awaitable[None]]] = MappingProxyType(
            {
                "session.update": self._update,
                "input_text_buffer.append": self._append,
                "input_text_buffer.commit": self._commit,
                "input_text_buffer.clear": self._clear,
                "session.finish": self._finish,
            }
        )
        await self._say(event("session.created", session=self._config.wire(self._id)))
        async for frame in self._socket:
            message = _read(frame.data) if frame.type is WSMsgType.TEXT else None
            answer = answers.get(str(message.get("type"))) if message else None
            if message is None or answer is None:
                what = f"event type {message.get('type')!r}" if message else "a frame that is no JSON object"
                await self._say(error(f"Unsupported: {what}."))
                continue
            await answer(message)
            if self._is_over:
                return

    async def _update(self, message: Message) -> None:
        session = message.get("session")
        if self._has_begun:
            return await self._say(error(_LATE_UPDATE))
        try:
            asked = session if isinstance(session, dict) else {}
            self._config = configured(self._config, asked, self._service.account)
        except Refusal as refusal:
            return await self._say(error(refusal.message, code=refusal.code))
        return await self._say(event("session.updated", session=self._config.wire(self._id)))

    async def _append(self, message: Message) -> None:
        text = message.get("text")
        if not isinstance(text, str):
            return await self._say(error("Input text buffer append error: text must be a string."))
        self._has_begun = True
        self._buffer += text
        if self._config.mode == "server_commit":
            # Where the service splits is its own affair; here, at the ends of sentences.
            while not self._is_over and (match := _SENTENCE.match(self._buffer)):
                self._buffer = self._buffer[match.end() :]
                await self._respond(match[0])
        return None

    async def _commit(self, _: Message) -> None:
        if not self._buffer.strip():
            return await self._say(error("Input text buffer commit error: the buffer is empty."))
        text, self._buffer = self._buffer, ""
        return await self._respond(text)

    async def _clear(self, _: Message) -> None:
        self._buffer = ""
        await self._say(event("input_text_buffer.cleared"))

    async def _finish(self, message: Message) -> None:
        if self._buffer.strip():
            await self._commit(message)
        if not self._is_over:
            await self._say(event("session.finished"))
        self._is_over = True

    async def _respond(self, text: str) -> None:
        """Speak a piece of text, from its acceptance to its bill."""
        service, config = self._service, self._config
        arrived_s = service.clock.monotonic()
        if config.timbre is None:
            return await self._say(error("The requested voice '' is not supported."))
        await self._say(event("input_text_buffer.committed", item_id=""))
        response = Spoken(config.voice)
        call = service.calls.next(config.model, text, config.language_type, config.voice, config.instructions)
        fault = service.conduct.fault(call)
        try:
            service.refuse_if_down(fault)
        except Refusal as refusal:
            await self._say(error(refusal.message, code=refusal.code))
            return await self._say(response.failure())
        make = partial(
            config.spoken, text, take=call.take, damage=service.conduct.damage(call), knobs=self._next_knobs()
        )
        pieces = pieces_of(await service.studio.run(make))
        chars = billed_chars(text)
        units = chars * service.conduct.bill_factor
        service.account.bill(config.model, "characters", units, request_id=request_id_of(self._request))
        for message in response.beginning():
            await self._say(message)
        if fault:
            await service.lose_reply(self._request, fault)
        due_s = service.schedule_s(call, len(pieces), chars=chars, since_s=arrived_s)
        for number, (piece, at_s) in enumerate(zip(pieces, due_s, strict=True), 1):
            await service.clock.sleep(at_s - service.clock.monotonic())
            await self._say(response.audio(piece))
            if number > len(pieces) // 2 and await self._fails():
                return None
        for message in response.ending({"characters": units}):
            await self._say(message)
        return None

    def _next_knobs(self) -> Knobs:
        """The knobs of the next response: the silence before the first word stands at the session's beginning alone."""
        knobs = self._service.knobs
        is_first, self._has_spoken = not self._has_spoken, True
        return knobs if is_first else replace(knobs, silence_s=0.0)

    async def _fails(self) -> bool:
        """Whether the session ends here, in the middle of a response, as a fault would have it."""
        if self._fault == "stream-cut":
            await break_connection(self._request)
        if self._fault in ("stream-error-data", "stream-error-event"):
            await self._say(error("An internal error has occured, please try again later.", code="InternalError"))
        self._is_over = self._fault in ("stream-error-data", "stream-error-event", "stream-no-end")
        return self._is_over

    async def _say(self, message: Message) -> None:
        await self._socket.send_str(json.dumps(message, ensure_ascii=False, separators=(",", ":")))


def _read(text: Any) -> Message | None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
