"""What a file of audio claims to be, and whether all of it is there.

Looks at magic bytes and headers only. Decoding is the business of `audio`; libsndfile tells neither a cut file from a
whole one nor what a strange one is, so both are found here.
"""

import struct
from collections.abc import Callable, Iterator
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from harness.errors import ErrorKind, UndecodableAudio

__all__ = ["Container", "Opened", "open_container"]


class Container(StrEnum):
    """The kinds of file that are decoded."""

    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"
    OGG = "ogg"  # Opus or Vorbis inside


class Opened(NamedTuple):
    """A file that is what it claims to be, as far as its outside shows."""

    container: Container
    data: bytes  # the file, its header set right where it did not know or tell the length
    header: str  # "true"; "streaming": wrote no length; "understated": more follows than it says


_MAGIC: Final = (
    (b"RIFF", Container.WAV),
    (b"fLaC", Container.FLAC),
    (b"OggS", Container.OGG),
    (b"ID3", Container.MP3),
)
# Strangers by their first bytes, white space and a byte-order mark skipped, in lower case.
_STRANGERS: Final = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<", "an XML document"),  # what object storage answers when an address has expired
    (b"{", "a JSON document"),
    (b"[", "a JSON document"),
    (b"\x1ae\xdf\xa3", "a WebM or Matroska file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"#!amr", "an AMR file"),
    (b"rf64", "an RF64 file, made for more than 4 GB"),
    (b"data:", "a data URL that nobody decoded"),
)
# A writer that cannot seek back leaves one of these (or something a little below) as the length; no reply of ours
# can be that long, since its size is capped at 64 MiB (harness/config.py).
_STREAMING_FROM: Final = 0x7FFF_0000
# Chunks that writers put behind the samples: anything else there is more sound.
_AFTER_SAMPLES: Final = frozenset(
    (b"LIST", b"fact", b"id3 ", b"ID3 ", b"cue ", b"bext", b"smpl", b"PEAK", b"JUNK", b"PAD ", b"iXML", b"C2PA")
)
_MAX_CHANNELS: Final = 8
_RATES_HZ: Final = range(4_000, 192_001)
_BITRATE_INDEX_BAD: Final = (0b0000, 0b1111)


def open_container(data: bytes) -> Opened:
    """The file behind `data`, known by its first bytes and whole.

    Raises:
        UndecodableAudio: It is empty, no audio, of a kind that is not decoded, or cut off; `kind` says which.
    """
    if not data:
        raise UndecodableAudio("the audio is empty: 0 bytes", ErrorKind.EMPTY_AUDIO)
    container = _identify(data)
    if container is None:
        raise UndecodableAudio(f"the audio is {_stranger(data)} ({len(data)} bytes)")
    return _OPENERS[container](data)


def _identify(data: bytes) -> Container | None:
    for magic, container in _MAGIC:
        if data.startswith(magic):
            return container
    return Container.MP3 if _is_mpeg_frame(data) else None


def _is_mpeg_frame(data: bytes) -> bool:
    """Whether an MPEG audio frame begins here; AAC in ADTS has layer bits 00 and is told apart by them."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    return bool(data[1] & 0x06) and data[2] >> 4 not in _BITRATE_INDEX_BAD and data[2] & 0x0C != 0x0C


def _stranger(data: bytes) -> str:
    head = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, name in _STRANGERS:
        if head.startswith(magic):
            return name
    if data[4:8] == b"ftyp":
        return "an MP4 or M4A file, which is not decoded here"
    if data[0] == 0xFF and data[1:2] and data[1] & 0xF6 == 0xF0:
        return "AAC, which is not decoded here"
    return f"of no known kind, it begins with {data[:8].hex(' ')}"


def _truncated(what: str) -> UndecodableAudio:
    return UndecodableAudio(f"the audio ends too early: {what}", ErrorKind.TRUNCATED_AUDIO)


class _Chunk(NamedTuple):
    """A RIFF chunk: its name, where its body begins, and the length it declares."""

    name: bytes
    start: int
    size: int

    @property
    def end(self) -> int:
        """Where the next chunk begins: bodies are padded to an even length."""
        return self.start + self.size + (self.size & 1)


def _chunks(data: bytes, position: int) -> Iterator[_Chunk]:
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        chunk = _Chunk(name, position + 8, size)
        yield chunk
        position = chunk.end


def _open_wav(data: bytes) -> Opened:
    if data[8:12] != b"WAVE":
        raise UndecodableAudio("the audio is a RIFF file, but no WAVE")
    layout = None
    for chunk in _chunks(data, 12):
        if chunk.name == b"fmt " and chunk.start + 16 <= len(data):
            layout = struct.unpack_from("<HHIIHH", data, chunk.start)
        if chunk.name != b"data":
            continue
        if layout is None:
            raise UndecodableAudio("the WAV file has samples before its format")
        _require_sane(layout[1], layout[2])
        return _with_true_length(data, chunk)
    raise _truncated("the WAV file holds no samples, only its header")


def _require_sane(channels: int, rate_hz: int) -> None:
    if not 1 <= channels <= _MAX_CHANNELS:
        raise UndecodableAudio(f"the WAV header claims {channels} channels; 1 to {_MAX_CHANNELS} are decoded")
    if rate_hz not in _RATES_HZ:
        raise UndecodableAudio(
            f"the WAV header claims {rate_hz} samples a second; {_RATES_HZ[0]} to {_RATES_HZ[-1]} are decoded"
        )


def _with_true_length(data: bytes, chunk: _Chunk) -> Opened:
    """The file with the length of its samples as found, not as declared.

    A length of a streamed WAV is a guess by DashScope's own words, so bytes count, not the header (providers.md A5).
    """
    present = len(data) - chunk.start
    if chunk.size == present or (chunk.size < present and _is_followed_by_chunks(data, chunk)):
        return Opened(Container.WAV, data, "true")
    if chunk.size == 0 or chunk.size >= _STREAMING_FROM:
        header = "streaming"
    elif chunk.size > present:
        raise _truncated(f"its header declares {chunk.size} bytes of samples, {present} are there")
    else:
        header = "understated"
    lengths = struct.pack("<I", len(data) - 8), struct.pack("<I", present)
    fixed = data[:4] + lengths[0] + data[8 : chunk.start - 4] + lengths[1] + data[chunk.start :]
    return Opened(Container.WAV, fixed, header)


def _is_followed_by_chunks(data: bytes, chunk: _Chunk) -> bool:
    """Whether what follows the samples is no sound: a chunk of a known name, or the byte that pads to even length."""
    unpadded = chunk.start + chunk.size  # some writers forget the padding
    names = data[chunk.end : chunk.end + 4], data[unpadded : unpadded + 4]
    return unpadded + 1 >= len(data) or not _AFTER_SAMPLES.isdisjoint(names)


def _open_flac(data: bytes) -> Opened:
    return Opened(Container.FLAC, data, "true")  # how many samples it must hold is compared after decoding


def _open_ogg(data: bytes) -> Opened:
    """Ogg in pages: the last must be whole and carry the end-of-stream flag."""
    last = data.rfind(b"OggS")
    flags_at, count_at = last + 5, last + 26
    if count_at >= len(data):
        raise _truncated("its last Ogg page is cut")
    lacing = data[count_at + 1 : count_at + 1 + data[count_at]]
    if count_at + 1 + data[count_at] + sum(lacing) > len(data):
        raise _truncated("its last Ogg page is cut")
    if not data[flags_at] & 0x04:
        raise _truncated("its last Ogg page is missing")
    return Opened(Container.OGG, data, "true")


def _open_mp3(data: bytes) -> Opened:
    """MP3: whole as far as its Xing or Info tag tells; a file without one cannot be checked."""
    start = _after_id3(data)
    if start >= len(data):
        raise _truncated("the MP3 file holds only tags")
    head = data[start : start + 200]
    tag = max(head.find(b"Xing"), head.find(b"Info"))
    has_both_counts = tag > 0 and len(head) >= tag + 16 and head[tag + 7] & 0x03 == 0x03
    if has_both_counts:
        (declared,) = struct.unpack_from(">I", head, tag + 12)
        if declared > len(data) - start:
            raise _truncated(f"its tag declares {declared} bytes, {len(data) - start} are there")
    return Opened(Container.MP3, data, "true" if has_both_counts else "streaming")


def _after_id3(data: bytes) -> int:
    """Where the first MPEG frame should begin: behind an ID3v2 tag, whose length has 7 bits a byte."""
    if not data.startswith(b"ID3") or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


_OPENERS: Final = MappingProxyType[Container, Callable[[bytes], Opened]](
    {Container.WAV: _open_wav, Container.FLAC: _open_flac, Container.OGG: _open_ogg, Container.MP3: _open_mp3}
)
