"""The lines of a text file that may be huge, compressed, damaged or not text at all.

Knows nothing of captures. Holds one line and a few buffers at a time, whatever the file's size.
"""

import codecs
import hashlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import zstandard

from harness.errors import CaptureError

__all__ = ["MAX_LINE_BYTES", "Line", "LineFile"]

MAX_LINE_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
# Fed to the decompressor at once. A zstd block of 4 bytes can unfold to 128 KiB: a bomb gives 4 MiB at a time, no more.
_PACKED_BYTES: Final = 128
_MAX_WINDOW_BYTES: Final = 2**27  # what the zstd command itself reads and writes without being asked for more
# Captures pack 10 to 40 times. A bomb packs 1,000 times and more.
_BOMB_RATIO: Final = 200
_BOMB_FROM_BYTES: Final = 64 * 1024 * 1024
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # UTF-32 little-endian begins with the first


class Line(NamedTuple):
    """One line as it stands in the file, without its end."""

    number: int  # from 1
    data: bytes  # the first `MAX_LINE_BYTES` of it
    size_bytes: int
    sha256: str | None  # of the whole line where `data` is not the whole; else None

    @property
    def is_whole(self) -> bool:
        """Nothing was cut off."""
        return self.sha256 is None


class LineFile:
    """The lines of a plain or zstd-compressed UTF-8 file; each iteration reads it anew."""

    def __init__(self, path: Path, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """Look whether the file can be opened at all.

        Raises:
            CaptureError: It is missing, a folder, or not ours to read.
        """
        self.path = path
        self.sha256: str | None = None  # of the file's bytes; known once it was read to its end
        self._max_line_bytes = max_line_bytes
        with self._open():
            pass

    def __iter__(self) -> Iterator[Line]:
        """Every line in order; a last line needs no end.

        Raises:
            CaptureError: The file is not UTF-8 text, or its compression is damaged or cut short.
        """
        self.sha256 = None
        digest = hashlib.sha256()
        with self._open() as file:
            chunks = self._unpacked(self._chunks(file, digest))
            yield from _split(self._text(chunks), self._max_line_bytes)
        self.sha256 = digest.hexdigest()

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            raise CaptureError(f"{self.path}: there is no such capture file; name one that exists") from None
        except IsADirectoryError:
            raise CaptureError(f"{self.path}: is a folder; name a capture file in it") from None
        except OSError as error:
            raise CaptureError(f"{self.path}: cannot be read: {error.strerror}") from None

    def _chunks(self, file: BinaryIO, digest: "hashlib._Hash") -> Iterator[bytes]:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                yield chunk
        except OSError as error:
            raise CaptureError(f"{self.path}: cannot be read: {error.strerror}") from None

    def _unpacked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks, decompressed when they begin as zstd does."""
        head = next(chunks, b"")
        whole = chain([head], chunks)
        if head.startswith(_ZSTD_MAGIC):
            return self._decompressed(whole)
        if self.path.suffix == ".zst":
            raise CaptureError(f"{self.path}: is named .zst and is not compressed with zstd; rename or repack it")
        if head.startswith(_GZIP_MAGIC):
            raise CaptureError(f"{self.path}: is compressed with gzip; unpack it with gunzip first")
        return whole

    def _decompressed(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        frame = decompressor.decompressobj()
        begun, packed_bytes, unpacked_bytes = False, 0, 0
        try:
            for piece in _pieces(chunks, _PACKED_BYTES):
                rest = piece
                packed_bytes += len(piece)
                while rest:
                    begun = True
                    if text := frame.decompress(rest):
                        unpacked_bytes += len(text)
                        self._refuse_bomb(packed_bytes, unpacked_bytes)
                        yield text
                    rest = frame.unused_data if frame.eof else b""
                    if frame.eof:
                        frame, begun = decompressor.decompressobj(), False
        except zstandard.ZstdError as error:
            raise CaptureError(f"{self.path}: the zstd compression is damaged: {error}") from None
        if begun:
            raise CaptureError(f"{self.path}: the zstd compression ends too early; copy the file again")

    def _refuse_bomb(self, packed_bytes: int, unpacked_bytes: int) -> None:
        if unpacked_bytes > max(_BOMB_FROM_BYTES, _BOMB_RATIO * packed_bytes):
            raise CaptureError(
                f"{self.path}: unfolds to more than {_BOMB_RATIO} times its size, as a compression bomb does; "
                "unpack it by hand if it is none"
            )

    def _text(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks without a byte order mark, once their head looks like UTF-8."""
        head = b""
        while len(head) < _CHUNK_BYTES and (chunk := next(chunks, b"")):
            head += chunk
        sample = head[:_CHUNK_BYTES]
        if head.startswith(_UTF16_MARKS) or _alternates_with_nul(sample):
            raise CaptureError(f"{self.path}: is UTF-16 or UTF-32; captures are UTF-8, convert it with iconv")
        lines = [line for line in sample.split(b"\n") if line]
        if lines and not any(map(_decodes, lines)):
            raise CaptureError(f"{self.path}: holds no UTF-8 text; name a capture file")
        return chain([head.removeprefix(codecs.BOM_UTF8)], chunks)


def _pieces(chunks: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), size_bytes):
            yield chunk[start : start + size_bytes]


def _alternates_with_nul(head: bytes) -> bool:
    """Mostly ASCII as UTF-16 without a mark: every other byte is NUL."""
    half = len(head) // 2
    return half > 1 and max(head[0::2].count(0), head[1::2].count(0)) > 0.4 * half


def _decodes(line: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line)  # incremental: the last line may be cut in a character
    except UnicodeDecodeError:
        return False
    return True


def _split(chunks: Iterator[bytes], max_bytes: int) -> Iterator[Line]:
    """Lines of at most `max_bytes`; of a longer one the beginning, and the hash of all of it."""
    number = 0
    line = _Gathered(max_bytes)
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            number += 1
            line.add(chunk[start:end])
            yield line.take(number)
            start = end + 1
        line.add(chunk[start:])
    if line.size_bytes:
        yield line.take(number + 1)


class _Gathered:
    """A line under way, of which no more than `max_bytes` are kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._reset()

    def _reset(self) -> None:
        self._parts: list[bytes] = []
        self._digest: hashlib._Hash | None = None
        self.size_bytes = 0

    def add(self, part: bytes) -> None:
        if not part:
            return
        room = self._max_bytes - self.size_bytes
        self.size_bytes += len(part)
        if self.size_bytes > self._max_bytes:
            if self._digest is None:
                self._digest = hashlib.sha256(b"".join(self._parts))
            self._digest.update(part)
        if room > 0:
            self._parts.append(part[:room])

    def take(self, number: int) -> Line:
        sha256 = self._digest.hexdigest() if self._digest else None
        line = Line(number, b"".join(self._parts), self.size_bytes, sha256)
        self._reset()
        return line
