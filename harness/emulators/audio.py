"""Audio of the stand-ins as samples and as bytes: encode what was spoken, decode what was sent as a reference."""

import io
import struct
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from harness.errors import UndecodableAudio

__all__ = ["RATE_HZ", "Recording", "Samples", "decode_recording", "encode", "encode_wav", "pcm_of"]

Samples = npt.NDArray[np.float32]  # mono in [-1, 1], shape (n,)

RATE_HZ: Final = 24_000  # both providers: PCM16 mono at 24 kHz (providers.md A2, B2)
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Recording(NamedTuple):
    """A decoded reference."""

    samples: Samples  # channels averaged
    rate_hz: int
    channels: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate_hz


def _pcm16(samples: Samples) -> bytes:
    return (np.clip(samples, -1.0, 1.0) * 32_767.0).astype("<i2").tobytes()


def encode_wav(samples: Samples, *, rate_hz: int = RATE_HZ) -> bytes:
    """A canonical 44-byte header and PCM16."""
    data = _pcm16(samples)
    header = _HEADER.pack(
        b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16, b"data", len(data)
    )
    return header + data


def pcm_of(wav: bytes) -> bytes:
    """The samples of a file by `encode_wav`."""
    return wav[_HEADER.size :]


def encode(samples: Samples, *, extension: str, rate_hz: int) -> bytes:
    """`samples` (at `RATE_HZ`) as `wav`, `pcm`, `flac`, `mp3` or `opus` (in Ogg) at `rate_hz`."""
    if rate_hz != RATE_HZ:
        samples = soxr.resample(samples, RATE_HZ, rate_hz)
    if extension == "pcm":
        return _pcm16(samples)
    if extension == "wav":
        return encode_wav(samples, rate_hz=rate_hz)
    containers = {"flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS")}
    container, subtype = containers[extension]
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def decode_recording(data: bytes) -> Recording:
    """What libsndfile makes of `data`: WAV, FLAC, MP3 or Ogg.

    Raises:
        UndecodableAudio: It is none of these, or holds no sample.
    """
    try:
        frames, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise UndecodableAudio(f"the reference does not decode: {error}") from None
    if not len(frames):
        raise UndecodableAudio("the reference holds no sample")
    return Recording(frames.mean(axis=1), int(rate_hz), frames.shape[1])
