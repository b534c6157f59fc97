"""What the Qwen stand-in makes of a reference recording, and when it refuses one (providers.md A5, A7)."""

import base64
import binascii
import re
from typing import Final, NamedTuple

import numpy as np

from harness.emulators.audio import Recording, Samples, decode_recording
from harness.emulators.qwen_wire import Refusal, invalid
from harness.emulators.timbres import Timbre, timbre_of_recording
from harness.errors import UndecodableAudio
from harness.speech import billed_chars

__all__ = ["Heard", "hear"]

_DATA_URL: Final = re.compile(r"data:(audio/[\w.+-]+);base64,(.*)", re.DOTALL)
_MIMES: Final = ("audio/wav", "audio/mpeg", "audio/mp4")
_MOST_ENCODED_BYTES: Final = 10 << 20
_LOWEST_RATE_HZ: Final = 24_000
_LONGEST_S: Final = 60.0
_LEAST_SPEECH_S: Final = 3.0
_LONGEST_PAUSE_S: Final = 2.0
_QUIET_DB: Final = -50.0  # a frame below it counts as a pause; ours, the service's own is not documented
_FRAME_S: Final = 0.02
_CHARS_PER_S: Final = (2.0, 45.0)  # billed characters; nobody speaks slower or faster than that


class Heard(NamedTuple):
    """A reference that was accepted."""

    timbre: Timbre
    fallback: str | None  # why the voice could only be made in the degraded mode


def hear(data: object, transcript: str | None) -> Heard:
    """Listen to the reference of a clone, given as a data URL.

    Raises:
        Refusal: The service would not make a voice of it; the code says why.
    """
    recording = _decoded(data)
    if recording.rate_hz < _LOWEST_RATE_HZ:
        raise Refusal(400, "Audio.AudioRateError", "File sample rate unsupported.")
    if recording.duration_s > _LONGEST_S:
        raise Refusal(400, "Audio.DurationLimitError", "Audio duration exceeds maximum allowed limit.")
    speech_s = _longest_speech_s(recording)
    if speech_s < _LEAST_SPEECH_S:
        raise Refusal(400, "Audio.PreprocessError", "No segments meet minimum duration requirement")
    return Heard(timbre_of_recording(recording), _fallback(transcript, speech_s))


def _decoded(data: object) -> Recording:
    if not isinstance(data, str) or not data:
        raise invalid("audio")
    if len(data) > _MOST_ENCODED_BYTES:
        raise invalid("audio")
    if data.startswith(("http://", "https://")):
        # A stand-in reaches nothing but its caller, so every download fails.
        raise Refusal(400, "BadRequest.InputDownloadFailed", "Failed to download the input file")
    match = _DATA_URL.fullmatch(data)
    if match is None or match[1] not in _MIMES:
        raise Refusal(400, "BadRequest.UnsupportedFileFormat", "Input file format is not supported.")
    try:
        return decode_recording(base64.b64decode(match[2], validate=True))
    except (binascii.Error, ValueError, UndecodableAudio):
        raise Refusal(400, "Audio.DecoderError", "Decoder audio file failed.") from None


def _longest_speech_s(recording: Recording) -> float:
    """Length of the longest stretch without a pause that is too long."""
    size = int(_FRAME_S * recording.rate_hz)
    samples: Samples = recording.samples[: len(recording.samples) // size * size].reshape(-1, size)
    loud = np.flatnonzero((samples * samples).mean(axis=1) > 10 ** (_QUIET_DB / 10))
    if not len(loud):
        return 0.0
    breaks = np.flatnonzero(np.diff(loud) * _FRAME_S > _LONGEST_PAUSE_S)
    starts = np.concatenate(([loud[0]], loud[breaks + 1]))
    ends = np.concatenate((loud[breaks], [loud[-1]]))
    return float((ends - starts + 1).max() * _FRAME_S)


def _fallback(transcript: str | None, speech_s: float) -> str | None:
    """Why a transcript cannot be of this recording; a recogniser would compare words, we only compare lengths."""
    if transcript is None:
        return None
    slowest, fastest = _CHARS_PER_S
    return None if slowest <= billed_chars(transcript) / speech_s <= fastest else "no_valid_asr_segments"
