"""What the readers of every wire format share: the parts of a speech call that do not depend on its dialect."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from replay.importers.exchanges import HttpExchange, HttpReply
from replay.importers.records import Recording, SpeechCall, Unusable
from replay.importers.reference_audio import recording_of
from replay.importers.responses import observed
from replay.importers.voice_book import KnownVoice, VoiceBook

__all__ = ["base_call", "in_known_voice", "learned_voice", "named_by", "required", "spoken_preview"]


def base_call(exchange: HttpExchange, provider: str, *, operation: str, text: str, **fields: Any) -> SpeechCall:
    """A call with what the exchange itself tells filled in."""
    return SpeechCall(
        key=exchange.key,
        captured_at=exchange.captured_at,
        operation=operation,
        text=text,
        observed=observed(exchange, provider),
        **fields,
    )


def required(value: str | None, name: str) -> str:
    """The value, which must be there.

    Raises:
        Unusable: It is missing or blank.
    """
    if value is None or not value.strip():
        raise Unusable(f'"{name}" is missing')
    return value


def named_by(recording: Recording | None, description: str | None = None) -> str:
    """A name for a voice that its caller gave none: the same for the same recording or description."""
    if recording is not None:
        return f"recording {recording.sha256}"
    return f"description {hashlib.sha256((description or '').encode('utf-8', 'surrogatepass')).hexdigest()}"


def in_known_voice(call: SpeechCall, voices: VoiceBook) -> SpeechCall:
    """The call with what was told of its voice before, by name or by recording."""
    known = voices.find(call.recording.sha256 if call.recording else call.voice_id)
    if known is None:
        return call
    recording = call.recording
    if recording is None and known.recording_sha256:
        recording = Recording(known.recording_sha256, lambda: None)
    return replace(
        call,
        voice_kind=known.kind,
        recording=recording,
        transcript=call.transcript if call.transcript is not None else known.transcript,
        description=known.description,
        consent=call.consent or known.consent,
    )


def spoken_preview(reply: HttpReply | None) -> Recording | None:
    """The audio that came back, as the recording of a designed voice; None when none did."""
    if reply is None or reply.status != 200 or not reply.body:
        return None
    try:
        return recording_of(reply.body)
    except Unusable:
        return None


def learned_voice(call: SpeechCall, consent: Mapping[str, object] | None = None) -> KnownVoice:
    """What later calls need to know of the voice that `call` makes."""
    return KnownVoice(
        kind=call.voice_kind,
        recording_sha256=call.recording.sha256 if call.recording else None,
        transcript=call.transcript,
        description=call.description,
        consent=consent,
    )
