"""Complete nouns that need only what a test is about."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from harness.errors import ErrorKind
from harness.exchanges import Capture, Cost, Exchange, Failure, Lane, Leg, Speech, Timing, Usage
from harness.speech import Operation, Reference, SpeechRequest, Voice, VoiceKind, billed_chars

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_voice(kind: VoiceKind = VoiceKind.PRESET, **changes: Any) -> Voice:
    base = {
        VoiceKind.PRESET: Voice(kind=VoiceKind.PRESET, id="Cherry"),
        VoiceKind.CLONE: Voice(
            kind=VoiceKind.CLONE,
            id="voice-anna",
            reference=Reference(sha256="a" * 64, transcript="Hello, this is Anna."),
        ),
        VoiceKind.DESIGN: Voice(
            kind=VoiceKind.DESIGN,
            id="voice-narrator",
            description="A calm middle-aged narrator.",
            reference=Reference(sha256="b" * 64, transcript="Welcome to the show."),
        ),
    }[kind]
    return replace(base, **changes)


def a_request(
    text: str = "Good morning.",
    *,
    operation: Operation = Operation.GENERATE,
    voice: Voice | None = None,
    language: str | None = "en",
    **changes: Any,
) -> SpeechRequest:
    default = {
        Operation.GENERATE: VoiceKind.PRESET,
        Operation.CLONE: VoiceKind.CLONE,
        Operation.DESIGN: VoiceKind.DESIGN,
    }[operation]
    return SpeechRequest(operation=operation, text=text, language=language, voice=voice or a_voice(default), **changes)


def a_capture(id: str = "c1", *, request: SpeechRequest | None = None, **changes: Any) -> Capture:  # noqa: A002 - the field's own name
    base = Capture(
        id=id,
        captured_at=NOON,
        request=request or a_request(),
        user_key="hmac:user-1",
        session=None,
        segment=None,
        consent=None,
        observed=None,
    )
    return replace(base, **changes)


def a_leg(capture_id: str = "c1", *, lane: Lane = Lane.CONTROL, repetition: int = 0, position: int = 0) -> Leg:
    return Leg(capture_id=capture_id, repetition=repetition, lane=lane, position=position)


def an_exchange(
    *,
    provider: str = "modal",
    failed: ErrorKind | None = None,
    audio: bytes = b"RIFF....WAVE",
    service_s: float = 1.0,
    cost_microusd: int | None = 1_000,
    text: str = "Good morning.",
    **changes: Any,
) -> Exchange:
    chars = billed_chars(text)
    base = Exchange(
        provider=provider,
        model="a-model",
        region="a-region",
        operation=Operation.GENERATE,
        result=(
            Failure(kind=failed, code="Code", detail="it failed")
            if failed
            else Speech(audio=audio, extension="wav", sample_rate_hz=24_000)
        ),
        timing=Timing(sent_at=NOON, service_s=service_s),
        usage=Usage(unit="characters", units=float(chars), counted_chars=chars, reported_chars=chars),
        cost=Cost(microusd=cost_microusd, basis="test"),
        attempts=1,
    )
    return replace(base, **changes)
