"""Bytes of a file that may be packed with gzip, zlib or zstd, unpacked a piece at a time.

No piece is larger than asked for, and a file that unfolds far beyond what recorded traffic does is refused.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import zstandard

from harness.errors import CaptureError

__all__ = ["MAX_RECORD_BYTES", "Readable", "open_unpacked", "pieces"]

MAX_RECORD_BYTES: Final = 32 * 1024 * 1024  # of one request or reply; a reference is at most 10 MB in base64
_PIECE_BYTES: Final = 256 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_MAX_WINDOW_BYTES: Final = 2**27  # what the zstd command itself reads without being asked for more
# JSON around silence packs some 100 times at best. A bomb packs 1,000 times and more.
_BOMB_RATIO: Final = 200
_BOMB_FROM_BYTES: Final = 512 * 1024 * 1024


class Readable(Protocol):
    """Something that gives at most `size` bytes at a time, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        ...


def pieces(source: Readable, size: int = _PIECE_BYTES) -> Iterator[bytes]:
    """The source from here to its end."""
    while piece := source.read(size):
        yield piece


@contextmanager
def open_unpacked(path: Path, *, bomb_from_bytes: int = _BOMB_FROM_BYTES) -> Iterator[Readable]:
    """The file's bytes as they were before packing, decided by how it begins and not by its name.

    Raises:
        CaptureError: It cannot be opened or, while reading, its packing is damaged, cut short or a bomb.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise CaptureError(f"{path}: there is no such file; name one that exists") from None
    except IsADirectoryError:
        raise CaptureError(f"{path}: is a folder; name the files in it, such as '{path}/*.gor'") from None
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {error.strerror}") from None
    with file:
        yield _Guarded(path, file, _unpacker(file), bomb_from_bytes)


def _unpacker(file: BinaryIO) -> Readable:
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        return GzipFile(fileobj=file)
    if magic == _ZSTD_MAGIC:
        return _Zstd(file)
    # RFC 1950: deflate with a window of 32 KiB, and the first two bytes a multiple of 31.
    if magic[:1] == b"\x78" and int.from_bytes(magic[:2]) % 31 == 0:
        return _Zlib(file)
    return file


class _Zlib:
    """A zlib stream, as Fiddler and others write `.zhar`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflater = zlib.decompressobj()
        self._packed = b""

    def read(self, size: int, /) -> bytes:
        while not self._inflater.eof:
            if not self._packed:
                self._packed = self._file.read(_PIECE_BYTES)
            if not self._packed:
                raise EOFError
            unpacked = self._inflater.decompress(self._packed, size)
            self._packed = self._inflater.unconsumed_tail
            if unpacked:
                return unpacked
        return b""


class _Zstd:
    """Zstd frames one after another."""

    # A zstd block of 4 bytes can unfold to 128 KiB: fed 128 bytes, a bomb gives 4 MiB at a time, no more.
    _PACKED_BYTES: Final = 128

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self._frame = self._decompressor.decompressobj()
        self._begun = False
        self._packed = self._unpacked = b""

    def read(self, size: int, /) -> bytes:
        while not self._unpacked:
            if not self._packed:
                self._packed = self._file.read(self._PACKED_BYTES)
            if not self._packed and self._begun:
                raise EOFError
            if not self._packed:
                return b""
            self._begun = True
            self._unpacked = self._frame.decompress(self._packed)
            self._packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame, self._begun = self._decompressor.decompressobj(), False
        piece, self._unpacked = self._unpacked[:size], self._unpacked[size:]
        return piece


class _Guarded:
    """Reads on while the proportions are those of recorded traffic."""

    def __init__(self, path: Path, file: BinaryIO, source: Readable, bomb_from_bytes: int) -> None:
        self._path = path
        self._file = file
        self._source = source
        self._bomb_from_bytes = bomb_from_bytes
        self._unpacked_bytes = 0

    def read(self, size: int, /) -> bytes:
        try:
            piece = self._source.read(size)
        except EOFError:
            raise CaptureError(
                f"{self._path}: its compression ends too early; import what can be saved of it after unpacking it "
                "by hand (gzip -dc or zstd -dc into a new file)"
            ) from None
        except (BadGzipFile, zlib.error, zstandard.ZstdError):
            raise CaptureError(f"{self._path}: its compression is damaged; copy the file again") from None
        except OSError as error:
            raise CaptureError(f"{self._path}: cannot be read: {error.strerror}") from None
        self._unpacked_bytes += len(piece)
        if self._unpacked_bytes > max(self._bomb_from_bytes, _BOMB_RATIO * self._file.tell()):
            raise CaptureError(
                f"{self._path}: unfolds to more than {_BOMB_RATIO} times its size, as a compression bomb does; "
                "unpack it by hand if it is none"
            )
        return piece
