"""The recording a voice is made from: found, read and checked before it costs anything."""

import asyncio
import base64
import io
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from harness.errors import ErrorKind, StoreError
from harness.exchanges import Failure
from harness.providers.base import References
from harness.providers.delivery import extension_of
from harness.speech import Voice

__all__ = ["Recording", "data_url", "enrolment_problem", "load_recording"]

_MIMES: Final = MappingProxyType({"wav": "audio/wav", "mp3": "audio/mpeg", "m4a": "audio/mp4"})
# What Qwen demands of a reference (providers.md A5); the size is that of the base64 text.
_LOWEST_RATE_HZ: Final = 24_000
_LONGEST_S: Final = 60.0
_LARGEST_ENCODED_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A reference, ready to be sent."""

    data: bytes
    encoded: str  # base64 of it
    transcript: str | None


async def load_recording(references: References, voice: Voice) -> Recording | Failure:
    """The recording that `voice` was made from, or why there is none."""
    reference = voice.reference
    if reference is None:
        return _failure(ErrorKind.UNSUPPORTED, "no_reference", "the voice has no reference recording")
    path = references.find(reference.sha256)
    if path is None:
        return _failure(ErrorKind.BAD_REFERENCE, "reference_missing", "the reference recording is not in the store")
    try:
        data = await asyncio.to_thread(references.get, reference.sha256, path.suffix.removeprefix("."))
    except StoreError:
        return _failure(ErrorKind.BAD_REFERENCE, "reference_damaged", "the reference recording is damaged")
    encoded = await asyncio.to_thread(base64.b64encode, data)
    return Recording(data=data, encoded=encoded.decode(), transcript=reference.transcript)


async def enrolment_problem(recording: Recording) -> Failure | None:
    """Why Qwen would refuse to make a voice of `recording`; None when nothing speaks against it."""
    if len(recording.encoded) >= _LARGEST_ENCODED_BYTES:
        return _failure(ErrorKind.BAD_REFERENCE, "reference_too_large", "the reference is larger than 10 MB in base64")
    extension = extension_of(recording.data)
    if extension not in _MIMES:
        return _failure(ErrorKind.BAD_REFERENCE, "reference_format", "the reference is neither WAV nor MP3 nor M4A")
    if extension == "m4a":
        return None  # our decoder does not read it; the provider will tell
    return await asyncio.to_thread(_length_and_rate_problem, recording.data)


def data_url(recording: Recording) -> str:
    """The recording as `data:audio/…;base64,…`."""
    extension = extension_of(recording.data) or "wav"
    return f"data:{_MIMES.get(extension, f'audio/{extension}')};base64,{recording.encoded}"


def _length_and_rate_problem(data: bytes) -> Failure | None:
    import soundfile  # a second to load, and only a new voice needs it

    try:
        info = soundfile.info(io.BytesIO(data))
    except (soundfile.SoundFileError, RuntimeError, ValueError):
        return _failure(ErrorKind.BAD_REFERENCE, "reference_undecodable", "the reference does not decode")
    if info.samplerate < _LOWEST_RATE_HZ:
        detail = f"the reference has {info.samplerate} Hz, Qwen takes {_LOWEST_RATE_HZ} and more"
        return _failure(ErrorKind.BAD_REFERENCE, "reference_rate", detail)
    if info.duration > _LONGEST_S:
        detail = f"the reference lasts {info.duration:.1f} s, Qwen takes up to {_LONGEST_S:g}"
        return _failure(ErrorKind.BAD_REFERENCE, "reference_length", detail)
    return None


def _failure(kind: ErrorKind, code: str, detail: str) -> Failure:
    return Failure(kind=kind, code=f"local.{code}", detail=detail)
