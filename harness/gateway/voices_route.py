"""Voices of a caller: made from a recording or a description, listed and deleted. Nobody sees another's."""

import asyncio
import base64
import hashlib
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

import soundfile
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from pydantic import BaseModel, ValidationError

from harness.exchanges import Consent, Lane, Speech
from harness.gateway.answers import Answer
from harness.gateway.bodies import CloneBody, DesignBody, VoiceBody, VoiceListBody, problem_with
from harness.gateway.callers import Caller
from harness.gateway.formats import AudioFormat, encoded
from harness.gateway.journey import Journey
from harness.gateway.parts import Parts
from harness.gateway.presets import PRESETS
from harness.gateway.refusals import Refused
from harness.gateway.replies import REQUEST_ID, headers_of
from harness.gateway.speech_route import spoken_or_refused
from harness.gateway.visits import Visit, respond, visit_of
from harness.gateway.voice_book import new_voice_id
from harness.speech import Operation, Reference, SpeechRequest, Voice, VoiceKind, billed_chars

__all__ = ["VoiceRoutes"]

_EXTENSIONS: Final = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "MP3": "mp3", "MPEG": "mp3", "OGG": "ogg"}
_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 60.0  # providers.md A5

Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class VoiceRoutes:
    """The handlers, working with `parts`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def clone(self, request: web.Request) -> web.StreamResponse:
        """Make a voice from a recording; its first words come back, so that somebody can hear whether it is right."""
        visit, caller = self._arrived(request)
        body = await _clone_body(request, caller)
        extension = await asyncio.to_thread(_checked_recording, body.audio)
        sha256 = hashlib.sha256(body.audio).hexdigest()
        reference = Reference(sha256=sha256, transcript=body.transcript)
        voice = Voice(kind=VoiceKind.CLONE, id=new_voice_id(), reference=reference)
        consent = Consent(**dict(body.consent))
        wish = SpeechRequest(operation=Operation.CLONE, text="", language=body.language, voice=voice)

        async def make() -> Answer:
            await asyncio.to_thread(self._parts.references.put, body.audio, extension)
            return await self._made(visit, self._journey(visit, caller, wish, consent))

        return await self._once(request, caller, wish, make)

    async def design(self, request: web.Request) -> web.StreamResponse:
        """Make a voice from a description; its preview is kept, since it is how the other provider can speak it."""
        visit, caller = self._arrived(request)
        body = _checked(DesignBody, await request.read())
        voice = Voice(kind=VoiceKind.DESIGN, id=new_voice_id(), description=body.description)
        wish = SpeechRequest(operation=Operation.DESIGN, text=body.preview_text, language=body.language, voice=voice)

        async def make() -> Answer:
            return await self._made(visit, self._journey(visit, caller, wish, None))

        return await self._once(request, caller, wish, make)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """Presets and the caller's own."""
        visit, caller = self._arrived(request)
        async with self._parts.limits.take(caller, chars=0):
            voices = [*PRESETS, *self._parts.voices.list(caller.key)]
        return _json(200, VoiceListBody(voices=[_body(voice) for voice in voices]), visit)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Take a voice away."""
        visit, caller = self._arrived(request)
        async with self._parts.limits.take(caller, chars=0):
            await asyncio.to_thread(self._parts.voices.delete, caller.key, request.match_info["id"])
        return web.Response(status=204, headers={REQUEST_ID: visit.request_id})

    def _arrived(self, request: web.Request) -> tuple[Visit, Caller]:
        visit = visit_of(request)
        visit.caller = self._parts.callers.identify(request.headers)
        return visit, visit.caller

    def _journey(self, visit: Visit, caller: Caller, wish: SpeechRequest, consent: Consent | None) -> Journey:
        at = self._parts.clock.now()
        journey = Journey(request_id=visit.request_id, arrived_at=at, caller=caller, request=wish, consent=consent)
        visit.journey = journey
        return journey

    async def _once(
        self, request: web.Request, caller: Caller, wish: SpeechRequest, make: Callable[[], Awaitable[Answer]]
    ) -> web.StreamResponse:
        key = request.headers.get("Idempotency-Key")
        # Each attempt draws a new id, which must not tell two equal requests apart.
        fingerprint = replace(wish, voice=replace(wish.voice, id="")).fingerprint()
        async with self._parts.limits.take(caller, chars=billed_chars(wish.spoken_text), voices=1):
            return respond(await self._parts.idempotency.once(caller, key, fingerprint, make))

    async def _made(self, visit: Visit, journey: Journey) -> Answer:
        """Have the voice say its first words, and write it down once it did."""
        parts = self._parts
        speech = spoken_or_refused(await parts.dispatcher.answer(journey), journey)
        preview = await asyncio.to_thread(encoded, speech, AudioFormat.WAV)
        journey.first_byte_s = parts.clock.monotonic() - visit.began_s
        voice = await self._kept(journey, preview)
        await asyncio.to_thread(parts.voices.add, journey.caller.key, voice, journey.consent)
        self._forget_at_qwen(journey, speech)
        body = _body(voice, preview=base64.b64encode(preview).decode())
        headers = headers_of(journey, name=journey.calls[-1].exchange.provider)
        return Answer(status=201, body=_dumped(body), content_type="application/json", headers=headers)

    async def _kept(self, journey: Journey, preview: bytes) -> Voice:
        request = journey.request
        if request.operation is not Operation.DESIGN:
            return request.voice
        sha256 = await asyncio.to_thread(self._parts.references.put, preview, "wav")
        return replace(request.voice, reference=Reference(sha256=sha256, transcript=request.text))

    def _forget_at_qwen(self, journey: Journey, speech: Speech) -> None:
        """A designed voice is spoken by its preview ever after: what Qwen made for it only fills the account."""
        call = journey.calls[-1]
        if call.lane is Lane.CANDIDATE and journey.request.operation is Operation.DESIGN and call.exchange.voice_id:
            self._parts.books.later(self._parts.lanes.delete_voice(call.lane, call.exchange.voice_id))


async def _clone_body(request: web.Request, caller: Caller) -> CloneBody:
    if request.content_type.startswith("multipart/"):
        body = await _from_form(request)
    else:
        body = _checked(CloneBody, await request.read())
    if len(body.audio) > caller.limits.max_reference_bytes:
        said = f"the recording is larger than {caller.limits.max_reference_bytes} bytes"
        raise Refused(413, "recording_too_large", said)
    return body


async def _from_form(request: web.Request) -> CloneBody:
    """A form's fields: `audio` is a file, `consent` JSON, the others plain text."""
    try:
        form = await request.post()
    except (ValueError, BadHttpMessage):
        raise Refused(400, "invalid_form", "the body is no multipart form") from None
    try:
        fields: dict[str, Any] = {name: _form_text(value) for name, value in form.items() if name != "audio"}
    except UnicodeDecodeError:
        raise Refused(400, "invalid_form", "a field of the form is no UTF-8") from None
    if "audio" in form:
        audio = _form_bytes(form["audio"])
        fields["audio"] = audio if isinstance(audio, str) else base64.b64encode(audio).decode()
    try:
        if "consent" in fields:
            fields["consent"] = json.loads(fields["consent"])
    except ValueError:
        raise Refused(400, "invalid_parameter", "consent: must be JSON") from None
    return _checked(CloneBody, json.dumps(fields).encode())


def _form_bytes(value: str | bytes | bytearray | web.FileField) -> str | bytes | bytearray:
    """A field as it was sent: with a file name, with a type of its own, or as plain text."""
    return value.file.read() if isinstance(value, web.FileField) else value


def _form_text(value: str | bytes | bytearray | web.FileField) -> str:
    content = _form_bytes(value)
    return content if isinstance(content, str) else content.decode()


def _checked(model: type[Body], content: bytes) -> Body:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise problem_with(error) from None


def _checked_recording(audio: bytes) -> str:
    """Its extension; runs in a thread.

    Raises:
        Refused: It is no recording that a voice can be made from.
    """
    try:
        facts = soundfile.info(io.BytesIO(audio))
    except (soundfile.LibsndfileError, TypeError):
        raise Refused(400, "bad_reference", "the recording does not decode; send WAV, FLAC, MP3 or Ogg") from None
    if facts.format not in _EXTENSIONS:
        raise Refused(400, "bad_reference", "the recording is in an unusual format; send WAV, FLAC, MP3 or Ogg")
    if not _SHORTEST_S <= facts.duration <= _LONGEST_S:
        said = f"the recording is {facts.duration:.1f} s long; send {_SHORTEST_S:g} to {_LONGEST_S:g} s of clear speech"
        raise Refused(400, "bad_reference", said)
    return _EXTENSIONS[facts.format]


def _body(voice: Voice, *, preview: str | None = None) -> VoiceBody:
    return VoiceBody(id=voice.id, kind=voice.kind, description=voice.description, preview=preview)


def _dumped(body: BaseModel) -> bytes:
    return body.model_dump_json(exclude_none=True).encode()


def _json(status: int, body: BaseModel, visit: Visit) -> web.Response:
    return web.Response(
        status=status, body=_dumped(body), content_type="application/json", headers={REQUEST_ID: visit.request_id}
    )
