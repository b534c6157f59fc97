"""Whether what was delivered is audio: by its own bytes, never by its label.

Looks only as deep as the live path can afford; what the audio sounds like is measured elsewhere.
"""

import struct
import sys
from array import array
from dataclasses import dataclass
from typing import Final, NamedTuple

from harness.errors import ErrorKind
from harness.exchanges import Failure, Speech

__all__ = ["Delivery", "accept", "extension_of"]

_PCM: Final = 1
_FORMATS: Final = frozenset({_PCM, 3, 6, 7, 0xFFFE})  # PCM, float, A-law, mu-law, extensible
# A streamed WAV is written before its length is known, with the largest number (or nearly) in its place.
_STREAMED_FROM: Final = 0x7FFF_0000
_SILENT_BELOW: Final = 33  # -60 dB of a 16-bit sample
_BLOCK: Final = 512  # samples
_SHOWN_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Audio that passed."""

    speech: Speech
    leading_silence_s: float | None  # None unless it is 16-bit WAV


class _Layout(NamedTuple):
    format: int
    channels: int
    rate_hz: int
    bits: int


class _Wav(NamedTuple):
    layout: _Layout
    declared_bytes: int
    data: memoryview  # as many as are there, at most those declared


def accept(body: bytes) -> Delivery | Failure:
    """The audio in `body`, or why it is none.

    A decoder reads a WAV that was cut off without a word, so its length is compared here (reliability.md M11).
    """
    if not body:
        return Failure(kind=ErrorKind.EMPTY_AUDIO, code=None, detail="the audio has no bytes")
    extension = extension_of(body)
    if extension is None:
        shown = body[:_SHOWN_BYTES].hex()
        return Failure(kind=ErrorKind.BAD_AUDIO, code=None, detail=f"{_looks_like(body)}, beginning with {shown}")
    if extension != "wav":
        speech = Speech(audio=body, extension=extension, sample_rate_hz=None)
        return Delivery(speech=speech, leading_silence_s=None)
    return _accept_wav(body)


def extension_of(body: bytes) -> str | None:
    """`wav`, `flac`, `ogg`, `mp3` or `m4a` by the first bytes; None when they are no audio we know."""
    if body[:4] == b"RIFF" and body[8:12] == b"WAVE":
        return "wav"
    for magic, extension in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3")):
        if body.startswith(magic):
            return extension
    if body[4:8] == b"ftyp":
        return "m4a"
    # An MPEG frame begins with eleven ones; the two bits of its layer are never both zero.
    is_frame = len(body) > 1 and body[0] == 0xFF and body[1] & 0xE0 == 0xE0 and body[1] & 0x06
    return "mp3" if is_frame else None


def _looks_like(body: bytes) -> str:
    start = body[:_SHOWN_BYTES].lstrip()[:1]
    return {b"<": "a page instead of audio", b"{": "JSON instead of audio"}.get(start, "no audio known here")


def _accept_wav(body: bytes) -> Delivery | Failure:
    wav = _read_wav(memoryview(body))
    if isinstance(wav, str):
        return Failure(kind=ErrorKind.BAD_AUDIO, code=None, detail=f"a WAV file {wav}")
    layout = wav.layout
    if wav.declared_bytes < _STREAMED_FROM and wav.declared_bytes > len(wav.data):
        detail = f"the WAV header promises {wav.declared_bytes} bytes, {len(wav.data)} came"
        return Failure(kind=ErrorKind.TRUNCATED_AUDIO, code=None, detail=detail)
    data = bytes(wav.data)
    if data.count(0) == len(data):
        detail = "the audio has no samples" if not data else "every sample of the audio is zero"
        return Failure(kind=ErrorKind.EMPTY_AUDIO, code=None, detail=detail)
    speech = Speech(audio=body, extension="wav", sample_rate_hz=layout.rate_hz)
    is_pcm16 = layout.bits == 16 and layout.format in (_PCM, 0xFFFE)
    return Delivery(speech=speech, leading_silence_s=_leading_silence_s(layout, data) if is_pcm16 else None)


def _read_wav(body: memoryview) -> _Wav | str:
    """The format and the samples of a RIFF file, or what is wrong with it."""
    layout: _Layout | None = None
    position = 12
    while position + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, position)
        position += 8
        if name == b"data":
            if layout is None:
                return "whose samples come before their format"
            return _Wav(layout, size, body[position : position + size])
        if name == b"fmt " and size >= 16 and position + 16 <= len(body):
            form, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body, position)
            layout = _Layout(form, channels, rate_hz, bits)
            if not _is_usable(layout):
                return f"of no usable format ({form}, {channels} channels, {rate_hz} Hz, {bits} bits)"
        position += size + size % 2
    return "without samples"


def _is_usable(layout: _Layout) -> bool:
    return (
        layout.format in _FORMATS
        and 1 <= layout.channels <= 8
        and 4_000 <= layout.rate_hz <= 192_000
        and layout.bits in (8, 16, 24, 32, 64)
    )


def _leading_silence_s(layout: _Layout, data: bytes) -> float:
    """Seconds before the first sample that can be heard; all of them when none can."""
    samples = array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    # Block by block first: the event loop waits here, and looking at each sample takes it twenty times as long.
    blocks = range(0, len(samples), _BLOCK)
    start = next((at for at in blocks if _is_heard(samples[at : at + _BLOCK])), len(samples))
    first = next((at for at in range(start, len(samples)) if abs(samples[at]) >= _SILENT_BELOW), len(samples))
    return first / layout.channels / layout.rate_hz


def _is_heard(block: "array[int]") -> bool:
    return max(block) >= _SILENT_BELOW or min(block) <= -_SILENT_BELOW
