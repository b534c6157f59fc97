"""A capture as the HTTP request that a caller in the field's convention would send (providers.md B3, design.md 8).

What the convention has no word for (session, segment, consent to a recording that does not go along) stays behind.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from harness.capture import capture_to_json
from harness.errors import StoreError
from harness.exchanges import Capture
from harness.providers.base import References
from harness.speech import Operation, VoiceKind

__all__ = ["WireRequest", "wire_request"]

_MIMES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg", "m4a": "audio/mp4", "flac": "audio/flac", "ogg": "audio/ogg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One POST with a JSON body."""

    path: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """What goes with the body; never a key."""
        return {"Content-Type": "application/json", "Content-Length": str(len(self.body))}


def wire_request(capture: Capture, references: References | None = None) -> WireRequest | None:
    """The request; None for a clone whose recording may not or cannot go along.

    Args:
        capture: What to ask for.
        references: Where recordings lie; None keeps them at home. One goes along, decrypted, only with consent.
    """
    request = capture.request
    match request.operation:
        case Operation.GENERATE:
            return _request("/v1/audio/speech", _speech(capture, references))
        case Operation.DESIGN:
            return _request("/v1/voices/design", _design(capture))
        case Operation.CLONE:
            body = _clone(capture, references)
            return _request("/v1/voices/clone", body) if body else None


def _request(path: str, body: dict[str, Any]) -> WireRequest:
    told = {name: value for name, value in body.items() if value is not None}
    return WireRequest(path=path, body=json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode())


def _speech(capture: Capture, references: References | None) -> dict[str, Any]:
    request, voice = capture.request, capture.request.voice
    audio = _audio(capture, references)
    return {
        "input": request.text,
        "voice": voice.id,
        "language": request.language,
        "instructions": request.instructions,
        "response_format": request.response_format,
        "sample_rate": request.sample_rate_hz,
        "stream": True if request.stream else None,
        "task_type": None if voice.kind is VoiceKind.PRESET else "Base",
        "ref_audio": audio,
        "ref_text": voice.reference.transcript if audio and voice.reference else None,
        "user": capture.user_key,
    }


def _design(capture: Capture) -> dict[str, Any]:
    request = capture.request
    return {
        "name": request.voice.id,
        "description": request.voice.description,
        "preview_text": request.text,
        "language": request.language,
        "response_format": request.response_format,
        "sample_rate": request.sample_rate_hz,
        "user": capture.user_key,
    }


def _clone(capture: Capture, references: References | None) -> dict[str, Any] | None:
    audio, reference = _audio(capture, references), capture.request.voice.reference
    if audio is None or reference is None:
        return None
    return {
        "name": capture.request.voice.id,
        "reference_audio": audio,
        "transcript": reference.transcript,
        "language": capture.request.language,
        "consent": json.loads(capture_to_json(capture))["consent"],
        "user": capture.user_key,
    }


def _audio(capture: Capture, references: References | None) -> str | None:
    """The recording as a data URL; None where there is none, none here, or no consent."""
    reference = capture.request.voice.reference
    if reference is None or references is None or capture.consent is None:
        return None
    path = references.find(reference.sha256)
    if path is None:
        return None
    extension = path.suffix.removeprefix(".")
    try:
        audio = references.get(reference.sha256, extension)
    except StoreError:
        return None
    return f"data:{_MIMES.get(extension, 'audio/wav')};base64,{base64.b64encode(audio).decode()}"
