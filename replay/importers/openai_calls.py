"""Requests in the field's convention, as vLLM-Omni and our gateway speak it (providers.md B3, design.md section 8)."""

from collections.abc import Mapping
from typing import Any, Final

from replay.importers.call_parts import base_call, in_known_voice, learned_voice, named_by, required, spoken_preview
from replay.importers.capture_header import unpacked
from replay.importers.exchanges import HttpExchange
from replay.importers.json_body import load_object, text_at
from replay.importers.languages import iso_code
from replay.importers.multipart import Part, read_form
from replay.importers.records import Recording, SpeechCall, Unusable
from replay.importers.reference_audio import inline_recording, recording_of
from replay.importers.responses import reply_object
from replay.importers.voice_book import VoiceBook

__all__ = ["clone_voice", "design_voice", "speech"]

PROVIDER: Final = "openai-style"
# The same thing under the names that different servers give it.
_AUDIO: Final = ("reference_audio", "audio", "audio_sample", "ref_audio", "file")
_TRANSCRIPT: Final = ("transcript", "ref_text", "text")
_NAME: Final = ("name", "voice", "voice_id", "id")


def speech(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """`POST /v1/audio/speech`."""
    body = _told(exchange)
    text = required(text_at(body, "input"), "input")
    if body.get("speed") not in (None, 1, 1.0):
        raise Unusable('a "speed" cannot be expressed in a capture')
    shape = {
        "language": iso_code(text_at(body, "language")),
        "response_format": text_at(body, "response_format") or "wav",
        "sample_rate_hz": _rate_hz(body),
        "stream": body.get("stream") is True or text_at(body, "stream_format") is not None,
        "user": text_at(body, "user"),
    }
    if text_at(body, "task_type") == "VoiceDesign":
        return _designed(exchange, body, voices, text=text, **shape)
    recording = _inline(body)
    call = base_call(
        exchange,
        PROVIDER,
        operation="generate",
        text=text,
        voice_kind="clone" if recording or text_at(body, "task_type") == "Base" else "preset",
        voice_id=_voice_name(body) or (named_by(recording) if recording else required(None, "voice")),
        recording=recording,
        transcript=text_at(body, "ref_text") if recording else None,
        instructions=text_at(body, "instructions") or None,
        **shape,
    )
    return in_known_voice(call, voices)


def _told(exchange: HttpExchange) -> dict[str, Any]:
    """The body, and what our own export tells beside it; the body is believed first."""
    return unpacked(exchange.beside) | load_object(exchange.body)


def _designed(exchange: HttpExchange, body: dict[str, Any], voices: VoiceBook, **shape: Any) -> SpeechCall:
    description = required(text_at(body, "instructions"), "instructions")
    preview = spoken_preview(exchange.reply)
    call = base_call(
        exchange,
        PROVIDER,
        operation="design",
        voice_kind="design",
        voice_id=_voice_name(body) or named_by(preview, description),
        recording=preview,
        transcript=shape["text"] if preview else None,
        description=description,
        **shape,
    )
    voices.learn(learned_voice(call))
    return call


def _inline(body: dict[str, Any]) -> Recording | None:
    value = text_at(body, "ref_audio")
    recording = inline_recording(value)
    if value and recording is None:
        raise Unusable("the reference audio is not in the request, only its address is")
    sha256 = text_at(body, "ref_sha256")
    return Recording(sha256, lambda: None) if recording is None and sha256 else recording


def _voice_name(body: dict[str, Any]) -> str | None:
    voice = body.get("voice", body.get("speaker"))
    if isinstance(voice, dict):
        voice = voice.get("id")
    return voice if isinstance(voice, str) and voice.strip() else None


def _rate_hz(body: dict[str, Any]) -> int:
    rate_hz = body.get("sample_rate")
    return rate_hz if isinstance(rate_hz, int) else 24_000


def clone_voice(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """`POST /v1/voices/clone` and `POST /v1/audio/voices`, as a form or JSON."""
    fields, recording = _upload(exchange)
    if recording is None:
        raise Unusable("the reference audio is not in the request, at most its address is")
    name = text_at(fields, *_NAME)
    call = base_call(
        exchange,
        PROVIDER,
        operation="clone",
        text=text_at(fields, "spoken_text") or "",
        language=iso_code(text_at(fields, "language")),
        voice_kind="clone",
        voice_id=_made_voice(exchange) or name or named_by(recording),
        recording=recording,
        transcript=text_at(fields, *_TRANSCRIPT),
        user=text_at(fields, "user"),
        consent=_consent(fields.get("consent")),
    )
    voices.learn(learned_voice(call, call.consent), name, _made_voice(exchange))
    return call


def _upload(exchange: HttpExchange) -> tuple[dict[str, Any], Recording | None]:
    if not exchange.content_type.lower().startswith("multipart/form-data"):
        fields = _told(exchange)
        return fields, inline_recording(text_at(fields, *_AUDIO))
    form = read_form(exchange.body, exchange.content_type)
    audio: Part | None = next((form.pop(name) for name in _AUDIO if name in form), None)
    return {name: part.text for name, part in form.items()}, recording_of(audio.data) if audio else None


def _consent(value: object) -> Mapping[str, object] | None:
    """Consent as the capture format has it. A bare word proves nothing that a replay could rely on."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = load_object(value, what="the consent")
    return value if isinstance(value, dict) else None


def design_voice(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """`POST /v1/voices/design`."""
    body = _told(exchange)
    description = required(text_at(body, "description", "voice_prompt", "instructions"), "description")
    text = required(text_at(body, "preview_text", "input", "text"), "preview_text")
    name, preview = text_at(body, *_NAME), spoken_preview(exchange.reply)
    call = base_call(
        exchange,
        PROVIDER,
        operation="design",
        text=text,
        language=iso_code(text_at(body, "language")),
        voice_kind="design",
        voice_id=_made_voice(exchange) or name or named_by(preview, description),
        recording=preview,
        transcript=text if preview else None,
        description=description,
        response_format=text_at(body, "response_format") or "wav",
        sample_rate_hz=_rate_hz(body),
        user=text_at(body, "user"),
    )
    voices.learn(learned_voice(call), name, _made_voice(exchange))
    return call


def _made_voice(exchange: HttpExchange) -> str | None:
    reply = reply_object(exchange.reply)
    made = next((reply[name] for name in ("voice_id", "id", "voice", "name") if name in reply), None)
    return made if isinstance(made, str) and made else None
