"""Requests to the legacy path: speech in a cloned voice, design, presets and jobs (providers.md B4)."""

from typing import Any, Final

from replay.importers.call_parts import base_call, in_known_voice, learned_voice, named_by, required, spoken_preview
from replay.importers.exchanges import HttpExchange
from replay.importers.json_body import load_object, text_at
from replay.importers.languages import iso_code
from replay.importers.records import Skipped, SpeechCall, Unusable
from replay.importers.reference_audio import inline_recording
from replay.importers.voice_book import VoiceBook

__all__ = ["clone", "design", "generate"]

PROVIDER: Final = "modal"
# Other services have a /clone as well, and a /design or /generate.
_REFERENCE: Final = frozenset({"ref_audio_base64", "ref_audio_url", "ref_audio", "ref_text"})


def clone(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """`/clone` and `/submit-job`: speech in the voice of a reference that comes along each time."""
    body = load_object(exchange.body)
    if not _REFERENCE.intersection(body):
        raise Skipped("not a speech endpoint")
    recording = inline_recording(text_at(body, "ref_audio_base64", "ref_audio"))
    if recording is None:
        raise Unusable("the reference audio is not in the request, at most its address is")
    call = base_call(
        exchange,
        PROVIDER,
        operation="generate",
        text=required(text_at(body, "text"), "text"),
        language=iso_code(text_at(body, "language")),
        voice_kind="clone",
        voice_id=named_by(recording),
        recording=recording,
        transcript=text_at(body, "ref_text"),
        user=text_at(body, "user"),
    )
    return in_known_voice(call, voices)  # a preview heard before: then the voice is a designed one


def design(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """`/design`: a preview in a voice made from a description."""
    body = load_object(exchange.body)
    if "instruct" not in body and "text" not in body:
        raise Skipped("not a speech endpoint")
    text = required(text_at(body, "text"), "text")
    description = required(text_at(body, "instruct"), "instruct")
    preview = spoken_preview(exchange.reply)
    call = base_call(
        exchange,
        PROVIDER,
        operation="design",
        text=text,
        language=iso_code(text_at(body, "language")),
        voice_kind="design",
        voice_id=named_by(preview, description),
        recording=preview,
        transcript=text if preview else None,
        description=description,
        user=text_at(body, "user"),
    )
    voices.learn(learned_voice(call))
    return call


def generate(exchange: HttpExchange, _: VoiceBook) -> SpeechCall:
    """`/generate`: speech in a preset voice."""
    body: dict[str, Any] = load_object(exchange.body)
    speaker = text_at(body, "speaker")
    if speaker is None:
        raise Skipped("not a speech endpoint")
    return base_call(
        exchange,
        PROVIDER,
        operation="generate",
        text=required(text_at(body, "text"), "text"),
        language=iso_code(text_at(body, "language")),
        voice_kind="preset",
        voice_id=required(speaker, "speaker"),
        instructions=text_at(body, "instruct") or None,
        user=text_at(body, "user"),
    )
