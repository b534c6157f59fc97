"""Voices at the Qwen stand-in: made from a recording or from words, listed, deleted (providers.md A5, A6)."""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from aiohttp import web

from harness.clock import Clock
from harness.emulators.account import Account, StoredVoice
from harness.emulators.audio import encode
from harness.emulators.calls import Call, Calls
from harness.emulators.latency import QWEN_CLONE, QWEN_DESIGN, Latency, stall_s
from harness.emulators.options import QwenOptions
from harness.emulators.qwen_catalogue import DESIGN, ENROLMENT, MODELS, Family, model_not_found
from harness.emulators.qwen_faults import fail
from harness.emulators.qwen_reference import hear
from harness.emulators.qwen_wire import Refusal, invalid, missing, read_body, reply, request_id_of, text_at
from harness.emulators.scenarios import Conduct, Fault
from harness.emulators.studio import Studio, perform
from harness.emulators.timbres import timbre_of_description
from harness.emulators.voices import Line, Rendition
from harness.speech import LANGUAGES

__all__ = ["Customization"]

_NAME: Final = re.compile(r"[a-zA-Z0-9_]{1,16}")
_LONGEST_PROMPT, _LONGEST_PREVIEW = 2_048, 1_024
_RATES: Final = (8_000, 16_000, 24_000, 48_000)
_FORMATS: Final = ("pcm", "wav", "mp3", "opus")
_CHINA: Final = timedelta(hours=8)  # the zone of the lists; likely, not documented

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Preview:
    """What a designed voice shall say, and how it is sent back."""

    text: str
    rate_hz: int
    extension: str


class Customization:
    """The customization endpoint."""

    def __init__(
        self,
        options: QwenOptions,
        *,
        conduct: Conduct,
        calls: Calls,
        account: Account,
        studio: Studio,
        clock: Clock,
    ) -> None:
        self._options = options
        self._conduct = conduct
        self._calls = calls
        self._account = account
        self._studio = studio
        self._clock = clock

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one action."""
        body = await read_body(request)
        maker = body.get("model")
        if not maker:
            raise missing("Model")
        if maker not in (ENROLMENT, DESIGN) or maker in self._options.retired:
            raise model_not_found()
        content = body.get("input")
        if not isinstance(content, dict) or not content:
            raise missing("Input")
        parameters = body.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise invalid("parameters")
        action = content.get("action")
        if action == "create":
            return await (
                self._clone(request, content) if maker == ENROLMENT else self._design(request, content, parameters)
            )
        if action == "list":
            return reply(request, self._listed(maker, content))
        if action == "delete":
            return reply(request, self._deleted(maker, content))
        if action == "query" and maker == DESIGN:  # enrolment documents no such action
            return reply(request, {"output": _entry(self._voice(maker, content)), "usage": {}})
        raise invalid("action")

    async def _clone(self, request: web.Request, content: Content) -> web.StreamResponse:
        arrived_s = self._clock.monotonic()
        target_model = self._target_model(content, Family.CLONE)
        name = _preferred_name(content)
        language = _language(content)
        transcript = text_at(content, "text")
        self._check_quota()
        audio = content.get("audio")
        data = audio.get("data") if isinstance(audio, dict) else None
        heard = await self._studio.run(partial(hear, data, transcript))
        # No fault is played here: one missing voice would fail every request that speaks through it, and the share of
        # failures would no longer be the scenario's.
        await self._take_time(self._calls.next(ENROLMENT, data), QWEN_CLONE, chars=0, since_s=arrived_s)
        voice = self._keep(ENROLMENT, name, target_model, language, timbre=heard.timbre.name)
        output: dict[str, Any] = {"voice": voice, "target_model": target_model, "fallback_mode": bool(heard.fallback)}
        if heard.fallback:
            output["fallback_reason"] = heard.fallback
        return reply(request, {"output": output, "usage": {"count": self._bill(ENROLMENT, request)}})

    async def _design(self, request: web.Request, content: Content, parameters: Content) -> web.StreamResponse:
        arrived_s = self._clock.monotonic()
        target_model = self._target_model(content, Family.DESIGN)
        name = _preferred_name(content)
        language = _language(content) or "zh"
        prompt = _limited(content, "voice_prompt", _LONGEST_PROMPT)
        preview = _preview(content, parameters)
        self._check_quota()
        call = self._calls.next(DESIGN, prompt, preview.text, language)
        fault = self._conduct.fault(call)
        if fault in (Fault.INTERNAL_ERROR, Fault.UNAVAILABLE):
            await self._take_time(call, QWEN_DESIGN, chars=len(preview.text), since_s=arrived_s)
            await fail(request, fault)
        timbre = timbre_of_description(prompt)
        line = Line(text=preview.text, language=language, timbre=timbre, rendition=Rendition.HOSTED, take=call.take)
        damage = self._conduct.damage(call)
        encoded = await self._studio.run(
            lambda: encode(perform(line, damage), extension=preview.extension, rate_hz=preview.rate_hz)
        )
        await self._take_time(call, QWEN_DESIGN, chars=len(preview.text), since_s=arrived_s)
        voice = self._keep(
            DESIGN, name, target_model, language, timbre=timbre.name, voice_prompt=prompt, preview_text=preview.text
        )
        count = self._bill(DESIGN, request)
        if fault:
            await fail(request, fault)
        sound = {
            "data": base64.b64encode(encoded).decode(),
            "sample_rate": preview.rate_hz,
            "response_format": preview.extension,
        }
        output = {"voice": voice, "target_model": target_model, "preview_audio": sound}
        return reply(request, {"output": output, "usage": {"count": count}})

    def _listed(self, maker: str, content: Content) -> dict[str, Any]:
        size, index = content.get("page_size", 10), content.get("page_index", 0)
        if not isinstance(size, int) or not isinstance(index, int) or size < 1 or index < 0:
            raise invalid("page_size" if not isinstance(size, int) or size < 1 else "page_index")
        own = [voice for voice in self._account.voices.values() if voice.maker == maker]
        page = own[size * index : size * (index + 1)]
        output = {
            "page_index": index,
            "page_size": size,
            "total_count": len(own),
            "voice_list": [_entry(voice) for voice in page],
        }
        return {"output": output, "usage": {"count": 0}}

    def _deleted(self, maker: str, content: Content) -> dict[str, Any]:
        voice = self._voice(maker, content).voice
        self._account.forget(voice)
        if maker == ENROLMENT:
            return {"usage": {"count": 0}}
        return {"output": {"voice": voice}, "usage": {}}

    def _voice(self, maker: str, content: Content) -> StoredVoice:
        name = text_at(content, "voice", required=True) or ""
        voice = self._account.voices.get(name)
        if voice is not None and voice.maker == maker:
            return voice
        if maker == ENROLMENT:
            raise Refusal(400, "BadRequest.VoiceNotFound", f"Voice '{name}' not found.")
        raise Refusal(400, "VoiceNotFound", f"Voice not found: {name}")

    def _target_model(self, content: Content, family: Family) -> str:
        model = text_at(content, "target_model", required=True) or ""
        if MODELS.get(model) is not family:
            raise invalid("target_model")
        if model in self._options.retired:
            raise model_not_found()
        return model

    def _check_quota(self) -> None:
        if len(self._account.voices) >= self._options.max_voices:
            message = "Maximum voice storage limit exceeded, please delete existing voices."
            raise Refusal(400, "Throttling.AllocationQuota", message)

    async def _take_time(self, call: Call, latency: Latency, *, chars: int, since_s: float) -> None:
        random = call.random("latency")
        service_s = stall_s(chars, random) if self._conduct.stalls(call) else latency.draw_s(chars, random)
        due_s = since_s + service_s * self._options.time_scale
        await self._clock.sleep(due_s - self._clock.monotonic())

    def _keep(
        self, maker: str, name: str, target_model: str, language: str | None, *, timbre: str, **words: str
    ) -> str:
        """A new voice in the account; returns its id."""
        now = self._clock.now() + _CHINA
        stamp = now.strftime("%Y%m%d%H%M%S") + f"{now.microsecond // 1000:03d}"
        family = "vc" if maker == ENROLMENT else "vd"
        voice = f"qwen-tts-{family}-{name}-voice-{stamp}-{secrets.token_hex(2)}"
        self._account.keep(
            StoredVoice(
                voice=voice,
                maker=maker,
                target_model=target_model,
                language=language,
                timbre=timbre,
                made_at=now.strftime("%Y-%m-%d %H:%M:%S"),
                **words,
            )
        )
        return voice

    def _bill(self, maker: str, request: web.Request) -> int:
        count = self._conduct.bill_factor
        self._account.bill(maker, "voices", count, request_id=request_id_of(request))
        return count


def _entry(voice: StoredVoice) -> dict[str, Any]:
    """The voice as lists show it."""
    entry = {"voice": voice.voice, "target_model": voice.target_model, "language": voice.language}
    if voice.maker == DESIGN:
        entry |= {"voice_prompt": voice.voice_prompt, "preview_text": voice.preview_text}
    return {**entry, "gmt_create": voice.made_at, "gmt_modified": voice.made_at}


def _preferred_name(content: Content) -> str:
    name = text_at(content, "preferred_name")
    if name is None:
        return "voice"  # one source calls it optional (providers.md A5)
    if not _NAME.fullmatch(name):
        raise invalid("preferred_name")
    return name


def _language(content: Content) -> str | None:
    language = text_at(content, "language")
    if language is not None and language not in LANGUAGES:
        raise invalid("language")
    return language


def _limited(content: Content, name: str, most_chars: int) -> str:
    text = text_at(content, name, required=True) or ""
    if len(text) > most_chars:
        raise invalid(name)
    return text


def _preview(content: Content, parameters: Content) -> _Preview:
    rate_hz = parameters.get("sample_rate", 24_000)
    extension = parameters.get("response_format", "wav")
    if rate_hz not in _RATES:
        raise invalid("sample_rate")
    if extension not in _FORMATS:
        raise invalid("response_format")
    return _Preview(text=_limited(content, "preview_text", _LONGEST_PREVIEW), rate_hz=rate_hz, extension=extension)
