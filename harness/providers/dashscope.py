"""The DashScope calls we use, as bodies and replies (providers.md A2, A5, A6).

Knows the wire and nothing of requests, prices or which voice belongs to whom.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeVar

from yarl import URL

from harness.clock import Clock
from harness.config import QwenSettings
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.attempts import Answer
from harness.providers.base import Deadline
from harness.providers.codes import dashscope_failure
from harness.providers.dashscope_speech import Spoken, decoded, spoken_from, streamed_from
from harness.providers.dashscope_stream import SpeechStream
from harness.providers.door import Door, Fault, Listener, Reply
from harness.providers.envelope import Envelope, Output, read_envelope
from harness.providers.incoming import IncomingSpeech
from harness.providers.realtime import RealtimeSpeech, Wish
from harness.providers.relay import Relay
from harness.providers.retry import advice_in

__all__ = ["AccountVoice", "DashScope", "MadeVoice", "NewVoice", "Spoken"]

_SPEAK: Final = "/api/v1/services/aigc/multimodal-generation/generation"
_REALTIME: Final = "/api-ws/v1/realtime"
_VOICES: Final = "/api/v1/services/audio/tts/customization"
_EVENTS: Final = "text/event-stream"
_AS_EVENTS: Final = {"X-DashScope-SSE": "enable", "Accept": _EVENTS}
_PAGE: Final = 100
_MOST_PAGES: Final = 100  # an account holds 1 000 voices; a list without an end is no list
_PREVIEW: Final = {"sample_rate": 24_000, "response_format": "wav"}

VoiceMaker = Literal["clone", "design"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVoice:
    """A voice to be made."""

    kind: VoiceMaker
    target_model: str
    name: str  # ours, at most 16 letters, digits or underscores; becomes part of the id
    language: str | None  # ISO 639-1
    audio_url: str | None = None  # clone: the recording as a data URL
    transcript: str | None = None  # clone
    description: str | None = None  # design
    preview_text: str | None = None  # design


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeVoice:
    """A voice that was made."""

    voice_id: str
    reply: Reply | None  # None when it was found in the account later
    preview: bytes | None  # design: it speaks the preview text
    facts: Mapping[str, object]


class AccountVoice(NamedTuple):
    """A voice as the account lists it."""

    voice_id: str
    target_model: str | None
    made_at: str | None  # the provider's own words; the time zone is not documented


class _Said(NamedTuple):
    reply: Reply
    envelope: Envelope


class DashScope:
    """One account in one region."""

    def __init__(self, door: Door, base: URL, settings: QwenSettings, clock: Clock) -> None:
        self._door = door
        self._base = base
        # Made once: an address that is joined for each call is also taken apart anew for each, by us and by aiohttp.
        self._urls = {path: base.joinpath(path[1:]) for path in (_SPEAK, _VOICES)}
        self._settings = settings
        self._clock = clock

    async def speak(
        self,
        *,
        model: str,
        text: str,
        voice: str,
        language_type: str,
        instructions: str | None,
        deadline: Deadline,
        stream: Relay | None = None,
    ) -> Answer[Spoken]:
        """One synthesis, as a file or, with somewhere to pass it on, as a stream; may be billed by characters."""
        content = {"text": text, "voice": voice, "language_type": language_type}
        if instructions:
            content["instructions"] = instructions
        body = {"model": model, "input": content}
        private = (text, instructions)
        if stream is not None:
            return await self._speak_streamed(body, deadline=deadline, private=private, relay=stream)
        answer = await self._call(_SPEAK, body, deadline=deadline, private=private)
        return _map(answer, lambda said: spoken_from(said.reply, said.envelope))

    async def speak_realtime(self, wish: Wish, *, model: str, deadline: Deadline, relay: Relay) -> Answer[Spoken]:
        """One synthesis over a WebSocket; may be billed by characters."""
        speech = RealtimeSpeech(wish, self._clock)

        async def hear(message: str) -> list[str] | None:
            answers = speech.hear(message)
            await relay.pass_on(speech.pcm)
            return answers

        url = self._base.joinpath(_REALTIME[1:]).with_query({"model": model})
        reply = await self._door.talk(url, deadline=deadline, interlocutor=hear)
        if isinstance(reply, Fault):
            return _interrupted(reply, speech, relay)
        if reply.status != 101:
            return Answer(
                result=dashscope_failure(reply.status, None, "the handshake was refused"),
                advice=advice_in(reply.headers, self._clock.now()),
                request_id=reply.headers.get("x-request-id"),
            )
        return Answer(
            result=speech.problem or streamed_from(reply, speech), heard=speech.heard, request_id=speech.request_id
        )

    async def download(self, url: URL, *, deadline: Deadline) -> Answer[Reply]:
        """The audio at an address that a synthesis gave: free, and no key goes along."""
        reply = await self._door.send("GET", url, deadline=deadline)
        if isinstance(reply, Fault):
            return Answer(result=reply.failure, sent=reply.sent)
        if reply.status == 200:
            return Answer(result=reply)
        expired = reply.status in (403, 404, 410)
        other = ErrorKind.OVERLOADED if reply.status >= 500 else ErrorKind.BAD_RESPONSE
        detail = f"the audio could not be fetched: HTTP {reply.status}"
        return Answer(result=Failure(kind=ErrorKind.URL_EXPIRED if expired else other, code=None, detail=detail))

    async def make_voice(self, new: NewVoice, *, deadline: Deadline) -> Answer[MadeVoice]:
        """Clone or design a voice; billed by voice, and counts towards the account's thousand."""
        private = (new.transcript, new.description, new.preview_text)
        answer = await self._call(_VOICES, self._creation(new), deadline=deadline, private=private)
        return _map(answer, _made)

    async def voices(self, kind: VoiceMaker, *, deadline: Deadline) -> list[AccountVoice] | Failure:
        """Every voice of a kind in the account; free."""
        found: list[AccountVoice] = []
        for page in range(_MOST_PAGES):
            content = {"action": "list", "page_size": _PAGE, "page_index": page}
            answer = await self._call(_VOICES, {"model": self._model(kind), "input": content}, deadline=deadline)
            if isinstance(answer.result, Failure):
                return answer.result
            output = answer.result.envelope.output or Output()
            listed = output.voice_list or []
            found += [AccountVoice(each.voice, each.target_model, each.gmt_create) for each in listed]
            if not listed or len(found) >= (output.total_count or 0):
                break
        return found

    async def delete_voice(self, kind: VoiceMaker, voice_id: str, *, deadline: Deadline) -> bool:
        """Whether the voice is gone from the account now; free."""
        body = {"model": self._model(kind), "input": {"action": "delete", "voice": voice_id}}
        answer = await self._call(_VOICES, body, deadline=deadline)
        return not isinstance(answer.result, Failure) or answer.result.kind is ErrorKind.VOICE_NOT_FOUND

    def _model(self, kind: VoiceMaker) -> str:
        return self._settings.enrolment_model if kind == "clone" else self._settings.voice_design_model

    def _creation(self, new: NewVoice) -> dict[str, Any]:
        content: dict[str, Any] = {
            "action": "create",
            "target_model": new.target_model,
            "preferred_name": new.name,
            "language": new.language,
        }
        body: dict[str, Any] = {"model": self._model(new.kind), "input": content}
        if new.kind == "clone":
            content |= {"audio": {"data": new.audio_url}, "text": new.transcript}
        else:
            content |= {"voice_prompt": new.description, "preview_text": new.preview_text}
            body["parameters"] = _PREVIEW
        body["input"] = {key: value for key, value in content.items() if value is not None}
        return body

    async def _speak_streamed(
        self, body: dict[str, Any], *, deadline: Deadline, private: tuple[str | None, ...], relay: Relay
    ) -> Answer[Spoken]:
        stream = SpeechStream(self._clock, private=private)

        async def listen(content_type: str, piece: bytes) -> None:
            if content_type == _EVENTS:
                stream.feed(piece)
                await relay.pass_on(stream.pcm)

        reply = await self._post(_SPEAK, body, deadline=deadline, headers=_AS_EVENTS, listener=listen)
        stream.close()
        if isinstance(reply, Fault):
            return _interrupted(reply, stream, relay)
        await relay.pass_on(stream.pcm)  # its last event may have had no blank line
        if reply.status != 200 or not reply.headers.get("content-type", "").startswith(_EVENTS):
            # Refused before the stream began; or answered in one piece, as a gateway between us may do.
            return _map(self._read(reply, private), lambda said: spoken_from(said.reply, said.envelope))
        return Answer(
            result=stream.problem or streamed_from(reply, stream),
            heard=stream.heard,
            advice=advice_in(reply.headers, self._clock.now()),
            request_id=stream.request_id or reply.headers.get("x-request-id"),
        )

    async def _call(
        self, path: str, body: dict[str, Any], *, deadline: Deadline, private: tuple[str | None, ...] = ()
    ) -> Answer[_Said]:
        """Send one body and read the envelope of its reply."""
        reply = await self._post(path, body, deadline=deadline)
        return Answer(result=reply.failure, sent=reply.sent) if isinstance(reply, Fault) else self._read(reply, private)

    async def _post(
        self,
        path: str,
        body: dict[str, Any],
        *,
        deadline: Deadline,
        headers: Mapping[str, str] | None = None,
        listener: Listener | None = None,
    ) -> Reply | Fault:
        content = json.dumps(body).encode()
        return await self._door.send(
            "POST", self._urls[path], body=content, keyed=True, deadline=deadline, headers=headers, listener=listener
        )

    def _read(self, reply: Reply, private: tuple[str | None, ...]) -> Answer[_Said]:
        envelope = read_envelope(reply.body)
        return Answer(
            result=_result(reply, envelope, private),
            advice=advice_in(reply.headers, self._clock.now()),
            request_id=(envelope and envelope.request_id) or reply.headers.get("x-request-id"),
        )


def _interrupted(fault: Fault, speech: IncomingSpeech, relay: Relay) -> Answer[Spoken]:
    failure = relay.blamed(speech.failure_after(fault.failure))
    return Answer(result=failure, sent=fault.sent, heard=speech.heard, request_id=speech.request_id)


def _result(reply: Reply, envelope: Envelope | None, private: tuple[str | None, ...]) -> _Said | Failure:
    if envelope is None:
        return _without_envelope(reply, private)
    if reply.status != 200 or envelope.code:
        return dashscope_failure(reply.status, envelope.code or None, envelope.message, private=private)
    return _Said(reply, envelope)


def _without_envelope(reply: Reply, private: tuple[str | None, ...]) -> Failure:
    """What a body means that is not what was agreed: a gateway's page, or nonsense after a success."""
    if reply.status == 200:
        return Failure(kind=ErrorKind.BAD_RESPONSE, code=None, detail="the reply is not the JSON that was agreed on")
    text = reply.body[:300].decode(errors="replace")
    return dashscope_failure(reply.status, None, text, private=private)


def _map(answer: Answer[_Said], read: Callable[[_Said], T | Failure]) -> Answer[T]:
    """The answer with what `read` makes of its reply; a failure stays one."""
    result = answer.result
    return Answer(
        result=result if isinstance(result, Failure) else read(result),
        sent=answer.sent,
        advice=answer.advice,
        request_id=answer.request_id,
    )


def _made(said: _Said) -> MadeVoice | Failure:
    output = said.envelope.output or Output()
    if not output.voice:
        return Failure(kind=ErrorKind.BAD_RESPONSE, code=None, detail="the reply names no voice")
    facts = {"fallback_mode": output.fallback_mode, "fallback_reason": output.fallback_reason}
    return MadeVoice(
        voice_id=output.voice,
        reply=said.reply,
        preview=decoded(output.preview_audio.data if output.preview_audio else None),
        facts={key: value for key, value in facts.items() if value is not None},
    )
