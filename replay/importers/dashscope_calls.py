"""Requests to the official Qwen API: synthesis and the making of voices (providers.md A2, A5, A6)."""

from typing import Any, Final

from replay.importers.call_parts import base_call, in_known_voice, learned_voice, named_by, required
from replay.importers.exchanges import HttpExchange
from replay.importers.json_body import load_object, text_at
from replay.importers.languages import iso_code
from replay.importers.records import Recording, Skipped, SpeechCall, Unusable
from replay.importers.reference_audio import inline_recording
from replay.importers.responses import reply_object
from replay.importers.voice_book import VoiceBook

__all__ = ["PROVIDER", "customization", "kind_by_model", "synthesis"]

PROVIDER: Final = "qwen"


def synthesis(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """`multimodal-generation`, which other models than those for speech are called by as well."""
    body = load_object(exchange.body)
    model = text_at(body, "model") or ""
    if "tts" not in model:
        raise Skipped("a model that does not speak")
    wish, parameters = _section(body, "input"), _section(body, "parameters")
    call = base_call(
        exchange,
        PROVIDER,
        operation="generate",
        text=required(text_at(wish, "text"), "input.text"),
        language=iso_code(text_at(wish, "language_type")),
        voice_kind=kind_by_model(model),
        voice_id=required(text_at(wish, "voice"), "input.voice"),
        instructions=text_at(wish, "instructions") or text_at(parameters, "instructions") or None,
        stream=exchange.wants_sse,
    )
    return in_known_voice(call, voices)


def kind_by_model(model: str) -> str:
    """A made voice only works with the models of its kind."""
    if "-vc" in model:
        return "clone"
    return "design" if "-vd" in model else "preset"


def customization(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """`customization`: a voice cloned or designed; listing and deleting are no speech."""
    body = load_object(exchange.body)
    wish = _section(body, "input")
    if text_at(wish, "action") != "create":
        raise Skipped("management of voices")
    match text_at(body, "model"):
        case "qwen-voice-enrollment":
            call = _clone(exchange, wish)
        case "qwen-voice-design":
            call = _design(exchange, wish, _section(body, "parameters"))
        case _:
            raise Skipped("a model that does not speak")
    voices.learn(learned_voice(call), _made_voice(exchange))
    return call


def _clone(exchange: HttpExchange, wish: dict[str, Any]) -> SpeechCall:
    recording = inline_recording(text_at(_section(wish, "audio"), "data", "url"))
    if recording is None:
        raise Unusable("the reference audio is not in the request, at most its address is")
    return base_call(
        exchange,
        PROVIDER,
        operation="clone",
        text="",
        language=iso_code(text_at(wish, "language")),
        voice_kind="clone",
        voice_id=_made_voice(exchange) or text_at(wish, "preferred_name") or named_by(recording),
        recording=recording,
        transcript=text_at(wish, "text"),
    )


def _design(exchange: HttpExchange, wish: dict[str, Any], parameters: dict[str, Any]) -> SpeechCall:
    text = required(text_at(wish, "preview_text"), "input.preview_text")
    description = required(text_at(wish, "voice_prompt"), "input.voice_prompt")
    preview = _preview(exchange)
    rate_hz = parameters.get("sample_rate")
    return base_call(
        exchange,
        PROVIDER,
        operation="design",
        text=text,
        language=iso_code(text_at(wish, "language")),
        voice_kind="design",
        voice_id=_made_voice(exchange) or text_at(wish, "preferred_name") or named_by(None, description),
        recording=preview,
        transcript=text if preview else None,
        description=description,
        response_format=text_at(parameters, "response_format") or "wav",
        sample_rate_hz=rate_hz if isinstance(rate_hz, int) else 24_000,
    )


def _made_voice(exchange: HttpExchange) -> str | None:
    voice = _section(reply_object(exchange.reply), "output").get("voice")
    return voice if isinstance(voice, str) and voice else None


def _preview(exchange: HttpExchange) -> Recording | None:
    data = _section(_section(reply_object(exchange.reply), "output"), "preview_audio").get("data")
    try:
        return inline_recording(data) if isinstance(data, str) else None
    except Unusable:
        return None


def _section(fields: dict[str, Any], name: str) -> dict[str, Any]:
    section = fields.get(name)
    return section if isinstance(section, dict) else {}
