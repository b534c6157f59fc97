"""The recording a voice is made from: found, read and checked before it costs anything."""

import asyncio
import base64
import io
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from harness.errors import ErrorKind, StoreError
from harness.exchanges import Failure
from harness.providers.base import References
from harness.providers.delivery import extension_of
from harness.speech import Voice

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Recording", "data_url", "enrolment_problem", "load_recording"]

_MIMES: Final = MappingProxyType({"wav": "audio/wav", "mp3": "audio/mpeg", "m4a": "audio/mp4"})
# What Qwen demands of a reference (providers.md A5); the size is that of the base64 text.
_LOWEST_RATE_HZ: Final = 24_000
_LONGEST_S: Final = 60.0
_LARGEST_ENCODED_BYTES: Final = 10 * 1024 * 1024
_LEAST_SPEECH_S: Final = 3.0
_LONGEST_PAUSE_S: Final = 2.0
# Ours, since how the service tells speech from a pause is not documented: a frame far below the loudest is a pause.
_FRAME_S: Final = 0.02
_PAUSE_SHARE: Final = 10 ** (-40 / 10)  # of the loudest frame's power


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
    return await asyncio.to_thread(_sound_problem, recording.data)


def data_url(recording: Recording) -> str:
    """The recording as `data:audio/…;base64,…`."""
    extension = extension_of(recording.data) or "wav"
    return f"data:{_MIMES.get(extension, f'audio/{extension}')};base64,{recording.encoded}"


def _sound_problem(data: bytes) -> Failure | None:
    import soundfile  # a second to load, and only a new voice needs it

    try:
        info = soundfile.info(io.BytesIO(data))
        problem = _form_problem(info.format, info.subtype, info.channels, info.samplerate, info.duration)
        return problem or _speech_problem(_longest_speech_s(*soundfile.read(io.BytesIO(data), dtype="float32")))
    except (soundfile.SoundFileError, RuntimeError, ValueError):
        return _failure(ErrorKind.BAD_REFERENCE, "reference_undecodable", "the reference does not decode")


def _form_problem(form: str, subtype: str, channels: int, rate_hz: int, duration_s: float) -> Failure | None:
    if form in ("WAV", "WAVEX") and subtype != "PCM_16":
        detail = f"the reference is WAV of {subtype}, Qwen takes 16 bit"
        return _failure(ErrorKind.BAD_REFERENCE, "reference_format", detail)
    if channels != 1:
        detail = f"the reference has {channels} channels, Qwen takes one"
        return _failure(ErrorKind.BAD_REFERENCE, "reference_channels", detail)
    if rate_hz < _LOWEST_RATE_HZ:
        detail = f"the reference has {rate_hz} Hz, Qwen takes {_LOWEST_RATE_HZ} and more"
        return _failure(ErrorKind.BAD_REFERENCE, "reference_rate", detail)
    if duration_s > _LONGEST_S:
        detail = f"the reference lasts {duration_s:.1f} s, Qwen takes up to {_LONGEST_S:g}"
        return _failure(ErrorKind.BAD_REFERENCE, "reference_length", detail)
    return None


def _speech_problem(speech_s: float) -> Failure | None:
    if speech_s >= _LEAST_SPEECH_S:
        return None
    detail = (
        f"the reference speaks for {speech_s:.1f} s without a pause of {_LONGEST_PAUSE_S:g} s, "
        f"Qwen asks for {_LEAST_SPEECH_S:g}"
    )
    return _failure(ErrorKind.BAD_REFERENCE, "reference_speech", detail)


def _longest_speech_s(samples: "npt.NDArray[np.float32]", rate_hz: int) -> float:
    """Length of the longest stretch that holds no pause longer than allowed, in seconds; 0.0 of silence."""
    size = max(1, round(_FRAME_S * rate_hz))
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    power = (frames * frames).mean(axis=1)
    loud = (power > power.max(initial=0.0) * _PAUSE_SHARE).nonzero()[0]
    longest, run = 0, 0
    before: int | None = None
    for at in loud.tolist():
        paused = before is not None and (at - before) * _FRAME_S > _LONGEST_PAUSE_S
        run = 1 if before is None or paused else run + at - before
        longest, before = max(longest, run), at
    return longest * _FRAME_S


def _failure(kind: ErrorKind, code: str, detail: str) -> Failure:
    return Failure(kind=kind, code=f"local.{code}", detail=detail)
