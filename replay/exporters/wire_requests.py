"""A capture as the HTTP request that a caller of our gateway would send (providers.md B3, design.md 8).

What the gateway has no word for goes in a header of our own, which every server passes over and our import reads;
what that does not hold (session, segment, consent to a recording that does not go along) stays behind.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from harness.capture import capture_to_json
from harness.errors import StoreError
from harness.exchanges import Capture
from harness.gateway.formats import AudioFormat
from harness.providers.base import References
from harness.speech import LANGUAGES, Operation, VoiceKind
from replay.importers.capture_header import CAPTURE_HEADER, MAX_VALUE_CHARS, packed

__all__ = ["WireRequest", "wire_request"]

_USUAL_RATE_HZ: Final = 24_000  # what an import takes for granted


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One POST with a JSON body."""

    path: str
    body: bytes
    beside: str  # what the body has no word for, as our own header takes it; empty where there is nothing
    is_silenced: bool = False  # a clone's words to say were too many for the header, and stay behind

    @property
    def headers(self) -> dict[str, str]:
        """What goes with the body; never a key."""
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        return headers | ({CAPTURE_HEADER: self.beside} if self.beside else {})


class _Parts(NamedTuple):
    body: dict[str, Any]
    beside: dict[str, Any]


def wire_request(capture: Capture, references: References | None = None) -> WireRequest | None:
    """The request; None for a clone whose recording may not or cannot go along, or without a transcript.

    Args:
        capture: What to ask for.
        references: Where recordings lie; None keeps them at home. One goes along, decrypted, only with consent.
    """
    match capture.request.operation:
        case Operation.GENERATE:
            return _request("/v1/audio/speech", capture, _speech(capture, references))
        case Operation.DESIGN:
            return _request("/v1/voices/design", capture, _design(capture))
        case Operation.CLONE:
            parts = _clone(capture, references)
            return _request("/v1/voices/clone", capture, parts) if parts else None


def _request(path: str, capture: Capture, parts: _Parts) -> WireRequest:
    language, beside = capture.request.language, {**parts.beside, "user": capture.user_key}
    (parts.body if language in LANGUAGES else beside)["language"] = language
    told = _without_none(beside)
    value = packed(told) if told else ""
    is_silenced = len(value) > MAX_VALUE_CHARS and "spoken_text" in told
    if is_silenced:
        value = packed({name: each for name, each in told.items() if name != "spoken_text"})
    body = json.dumps(_without_none(parts.body), ensure_ascii=False, separators=(",", ":")).encode()
    return WireRequest(path=path, body=body, beside=value, is_silenced=is_silenced)


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _shape(capture: Capture, *, takes_format: bool) -> _Parts:
    """Format and rate: in the body where the gateway takes them, beside it else; what is usual is not told."""
    request = capture.request
    taken = takes_format and request.response_format in list(AudioFormat)
    beside = {"sample_rate": request.sample_rate_hz if request.sample_rate_hz != _USUAL_RATE_HZ else None}
    if taken:
        return _Parts({"response_format": request.response_format}, beside)
    return _Parts({}, beside | {"response_format": request.response_format})


def _speech(capture: Capture, references: References | None) -> _Parts:
    request, voice = capture.request, capture.request.voice
    shape = _shape(capture, takes_format=True)
    # The gateway finds the recording by the voice; an import, by its hash.
    reference = voice.reference if _audio(capture, references) else None
    body = {
        "input": request.text,
        "voice": voice.id,
        "instructions": request.instructions,
        "stream": True if request.stream else None,
    }
    beside = {
        "task_type": None if voice.kind is VoiceKind.PRESET else "Base",
        "ref_sha256": reference.sha256 if reference else None,
        "ref_text": reference.transcript if reference else None,
    }
    return _Parts(body | shape.body, beside | shape.beside)


def _design(capture: Capture) -> _Parts:
    request = capture.request
    body = {"description": request.voice.description, "preview_text": request.text}
    return _Parts(body, {"name": request.voice.id} | _shape(capture, takes_format=False).beside)


def _clone(capture: Capture, references: References | None) -> _Parts | None:
    audio, reference = _audio(capture, references), capture.request.voice.reference
    if audio is None or reference is None or not (reference.transcript or "").strip():
        return None
    body = {
        "audio": audio,
        "transcript": reference.transcript,
        "consent": json.loads(capture_to_json(capture))["consent"],
    }
    return _Parts(body, {"name": capture.request.voice.id, "spoken_text": capture.request.text or None})


def _audio(capture: Capture, references: References | None) -> str | None:
    """The recording in base64; None where there is none, none here, or no consent."""
    reference = capture.request.voice.reference
    if reference is None or references is None or capture.consent is None:
        return None
    path = references.find(reference.sha256)
    if path is None:
        return None
    try:
        audio = references.get(reference.sha256, path.suffix.removeprefix("."))
    except StoreError:
        return None
    return base64.b64encode(audio).decode()
