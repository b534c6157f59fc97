"""Making voices at the Qwen stand-in: from a recording (providers.md A5) or from words (A6)."""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from aiohttp import web

from harness.emulators.account import StoredVoice
from harness.emulators.audio import encode
from harness.emulators.latency import QWEN_CLONE, QWEN_DESIGN
from harness.emulators.qwen_catalogue import DESIGN, ENROLMENT, Family, family_of, model_not_found
from harness.emulators.qwen_reference import hear
from harness.emulators.qwen_service import Service
from harness.emulators.qwen_wire import Refusal, invalid, reply, request_id_of, text_at
from harness.emulators.scenarios import Damage
from harness.emulators.studio import perform
from harness.emulators.timbres import timbre_of_description
from harness.emulators.voices import Line, Rendition
from harness.speech import LANGUAGES

__all__ = ["Creation"]

_NAME: Final = re.compile(r"[a-zA-Z0-9_]{1,16}")
_LONGEST_PROMPT, _LONGEST_PREVIEW = 2_048, 1_024
_RATES: Final = (8_000, 16_000, 24_000, 48_000)
_FORMATS: Final = ("pcm", "wav", "mp3", "opus")
_CHINA: Final = timedelta(hours=8)  # the zone of ids and lists; likely, not documented

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a clone and a design have in common."""

    maker: str
    target_model: str
    name: str
    language: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Preview:
    """What a designed voice shall say, and how it is sent back."""

    text: str
    rate_hz: int
    extension: str

    def encoded(self, line: Line, damage: Damage | None) -> bytes:
        """The line as it is sent back."""
        return encode(perform(line, damage), extension=self.extension, rate_hz=self.rate_hz)


class Creation:
    """The `create` action of both makers of voices."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def clone(self, request: web.Request, content: Content) -> web.StreamResponse:
        """Make a voice from a recording; no audio comes back."""
        service = self._service
        arrived_s = service.clock.monotonic()
        order = self._read(ENROLMENT, Family.CLONE, content)
        audio = content.get("audio")
        data = audio.get("data") if isinstance(audio, dict) else None
        heard = await service.studio.run(partial(hear, data, text_at(content, "text")))
        # No fault is played here: one missing voice would fail every request that speaks through it, and the share of
        # failures would no longer be the scenario's.
        await service.take_time(service.calls.next(ENROLMENT, data), QWEN_CLONE, chars=0, since_s=arrived_s)
        voice = self._keep(order, timbre=heard.timbre.name)
        output: dict[str, Any] = {
            "voice": voice,
            "target_model": order.target_model,
            "fallback_mode": heard.fallback is not None,
        }
        if heard.fallback is not None:
            output["fallback_reason"] = heard.fallback
        return reply(request, {"output": output, "usage": {"count": self._bill(ENROLMENT, request)}})

    async def design(self, request: web.Request, content: Content, parameters: Content) -> web.StreamResponse:
        """Make a voice from words, and send it back speaking the preview."""
        service = self._service
        arrived_s = service.clock.monotonic()
        order = self._read(DESIGN, Family.DESIGN, content)
        prompt = _limited(content, "voice_prompt", _LONGEST_PROMPT)
        preview = _preview(content, parameters)
        language = order.language or "zh"  # its documented default
        call = service.calls.next(DESIGN, prompt, preview.text, language)
        timbre = timbre_of_description(prompt)
        line = Line(
            text=preview.text,
            language=language,
            timbre=timbre,
            rendition=Rendition.HOSTED,
            take=call.take,
            knobs=service.knobs,
        )
        encoded = await service.studio.run(partial(preview.encoded, line, service.conduct.damage(call)))
        await service.take_time(call, QWEN_DESIGN, chars=len(preview.text), since_s=arrived_s)
        fault = service.conduct.fault(call)
        service.refuse_if_down(fault)
        voice = self._keep(order, timbre=timbre.name, voice_prompt=prompt, preview_text=preview.text)
        count = self._bill(DESIGN, request)
        if fault:
            await service.lose_reply(request, fault)
        sound = {
            "data": base64.b64encode(encoded).decode(),
            "sample_rate": preview.rate_hz,
            "response_format": preview.extension,
        }
        output = {"voice": voice, "target_model": order.target_model, "preview_audio": sound}
        return reply(request, {"output": output, "usage": {"count": count}})

    def _read(self, maker: str, family: Family, content: Content) -> _Order:
        model = text_at(content, "target_model", required=True) or ""
        if family_of(model) is not family:
            raise invalid("target_model")
        if model in self._service.options.retired:
            raise model_not_found()
        order = _Order(maker=maker, target_model=model, name=_preferred_name(content), language=_language(content))
        if len(self._service.account.voices) >= self._service.options.max_voices:
            message = "Maximum voice storage limit exceeded, please delete existing voices."
            raise Refusal(400, "Throttling.AllocationQuota", message)
        return order

    def _keep(self, order: _Order, *, timbre: str, **words: str) -> str:
        """A new voice in the account; returns its id."""
        now = self._service.clock.now() + _CHINA
        stamp = now.strftime("%Y%m%d%H%M%S") + f"{now.microsecond // 1000:03d}"
        family = "vc" if order.maker == ENROLMENT else "vd"
        voice = f"qwen-tts-{family}-{order.name}-voice-{stamp}-{secrets.token_hex(2)}"
        self._service.account.keep(
            StoredVoice(
                voice=voice,
                maker=order.maker,
                target_model=order.target_model,
                language=order.language,
                timbre=timbre,
                made_at=now.strftime("%Y-%m-%d %H:%M:%S"),
                **words,
            )
        )
        return voice

    def _bill(self, maker: str, request: web.Request) -> int:
        count = self._service.conduct.bill_factor
        self._service.account.bill(maker, "voices", count, request_id=request_id_of(request))
        return count


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
