"""A reply that is sent while its audio is made: bare, or as the server-sent events that OpenAI's clients know."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from harness.clock import Clock
from harness.errors import UndecodableAudio
from harness.exchanges import Speech
from harness.gateway.answers import Answer
from harness.gateway.formats import CONTENT_TYPES, AudioFormat, Encoder, is_cheap, samples_of

__all__ = ["StreamedReply"]


class StreamedReply:
    """An `AudioSink`; nothing is sent before the first audio, so until then any other answer can still be given."""

    def __init__(
        self,
        request: web.Request,
        *,
        audio_format: AudioFormat,
        as_events: bool,
        headers: Callable[[], Mapping[str, str]],
        first_byte: Callable[[], None],
        clock: Clock,
        keep: bool = False,
    ) -> None:
        """Prepare a reply to `request`.

        Args:
            request: Who waits.
            audio_format: What the audio becomes.
            as_events: `speech.audio.delta` and `speech.audio.done` instead of bare audio.
            headers: Asked for when the reply begins.
            first_byte: Told when it does.
            clock: Times how long the caller takes to read.
            keep: Whether all of it is to be had again from `sent`.
        """
        self.waited_s = 0.0  # for the caller to take what was sent
        self._request = request
        self._format = audio_format
        self._as_events = as_events
        self._headers = headers
        self._first_byte = first_byte
        self._clock = clock
        self._kept: list[bytes] | None = [] if keep else None
        self._encoder: Encoder | None = None
        self._response: web.StreamResponse | None = None

    @property
    def began(self) -> bool:
        """Whether the caller has got anything."""
        return self._response is not None

    def sent(self) -> Answer:
        """All that was sent, as one answer; its body is empty unless it was to be kept."""
        body = b"".join(self._kept or ())
        return Answer(status=200, body=body, content_type=self._content_type, headers=dict(self._headers()))

    @property
    def _content_type(self) -> str:
        return "text/event-stream" if self._as_events else CONTENT_TYPES[self._format]

    async def begin(self, *, rate_hz: int) -> None:
        """See `AudioSink`."""
        self._encoder = Encoder(self._format, rate_hz=rate_hz)

    async def write(self, pcm: bytes) -> None:
        """See `AudioSink`."""
        encoder = self._encoder
        if encoder is None:
            raise RuntimeError("audio came before its rate")
        await self._send(encoder.add(pcm) if is_cheap(self._format) else await asyncio.to_thread(encoder.add, pcm))

    async def finish(self, speech: Speech) -> web.StreamResponse:
        """Send what is left, or all of it where the provider did not stream."""
        if self._encoder is None:
            samples = await asyncio.to_thread(samples_of, speech)
            await self.begin(rate_hz=samples.rate_hz)
            await self.write(samples.pcm)
        assert self._encoder is not None  # noqa: S101 - set by `begin`, for the type checker
        await self._send(await asyncio.to_thread(self._encoder.end))
        if self._response is None:
            raise UndecodableAudio("the provider's audio holds no sample")
        if self._as_events:
            await self._write(self._response, _event({"type": "speech.audio.done"}))
        return self._response

    def break_off(self) -> web.StreamResponse:
        """Cut the connection, so that nobody takes half an answer for a whole one."""
        if self._request.transport is not None:
            self._request.transport.abort()
        if self._response is None:
            raise RuntimeError("nothing was sent that could be broken off")
        return self._response

    async def _send(self, audio: bytes) -> None:
        if not audio:
            return
        if self._response is None:
            response = web.StreamResponse(headers={**self._headers(), "Content-Type": self._content_type})
            await response.prepare(self._request)
            self._response = response
            self._first_byte()
        if self._as_events:
            audio = _event({"type": "speech.audio.delta", "audio": base64.b64encode(audio).decode()})
        await self._write(self._response, audio)

    async def _write(self, response: web.StreamResponse, content: bytes) -> None:
        began_s = self._clock.monotonic()
        await response.write(content)
        self.waited_s += self._clock.monotonic() - began_s
        if self._kept is not None:
            self._kept.append(content)


def _event(fields: dict[str, Any]) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()
