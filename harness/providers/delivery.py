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
_BLOCK: Final = 128  # samples of 16 bits
_ZEROS: Final = bytes(2 * _BLOCK)
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
    start: int  # where the samples begin in the file …
    end: int  # … and end: as many as are there, at most those declared


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
    wav = _read_wav(body)
    if isinstance(wav, str):
        return Failure(kind=ErrorKind.BAD_AUDIO, code=None, detail=f"a WAV file {wav}")
    layout, there = wav.layout, wav.end - wav.start
    if there < wav.declared_bytes < _STREAMED_FROM:
        detail = f"the WAV header promises {wav.declared_bytes} bytes, {there} came"
        return Failure(kind=ErrorKind.TRUNCATED_AUDIO, code=None, detail=detail)
    start = _first_sound(body, wav)
    if start == wav.end:
        detail = "the audio has no samples" if not there else "every sample of the audio is zero"
        return Failure(kind=ErrorKind.EMPTY_AUDIO, code=None, detail=detail)
    speech = Speech(audio=body, extension="wav", sample_rate_hz=layout.rate_hz)
    is_pcm16 = layout.bits == 16 and layout.format in (_PCM, 0xFFFE)
    return Delivery(speech=speech, leading_silence_s=_leading_silence_s(body, wav, start) if is_pcm16 else None)


def _read_wav(body: bytes) -> _Wav | str:
    """The format of a RIFF file and where its samples are, or what is wrong with it."""
    layout: _Layout | None = None
    position = 12
    while position + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, position)
        position += 8
        if name == b"data":
            if layout is None:
                return "whose samples come before their format"
            return _Wav(layout, size, position, min(position + size, len(body)))
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


def _first_sound(body: bytes, wav: _Wav) -> int:
    """Where the block with the first byte that is not zero begins; the end of the samples when all are."""
    at = wav.start
    # Compared as a whole: silence is mostly zeros, and the event loop waits here.
    while body.startswith(_ZEROS, at, wav.end):
        at += len(_ZEROS)
    rest = min(wav.end, at + len(_ZEROS))
    return wav.end if body.count(0, at, rest) == wav.end - at else at


def _leading_silence_s(body: bytes, wav: _Wav, start: int) -> float:
    """Seconds before the first sample that can be heard, none of which is before `start`; all when none can."""
    for at in range(start, wav.end, len(_ZEROS)):
        samples = _samples(body[at : min(at + len(_ZEROS), wav.end)])
        # Block by block first: looking at each sample takes twenty times as long.
        if samples and (max(samples) >= _SILENT_BELOW or min(samples) <= -_SILENT_BELOW):
            first = next(place for place, sample in enumerate(samples) if abs(sample) >= _SILENT_BELOW)
            return _seconds(wav.layout, (at - wav.start) // 2 + first)
    return _seconds(wav.layout, (wav.end - wav.start) // 2)


def _samples(data: bytes) -> "array[int]":
    samples = array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _seconds(layout: _Layout, samples: int) -> float:
    return samples / layout.channels / layout.rate_hz
