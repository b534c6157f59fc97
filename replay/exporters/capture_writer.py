"""Writes a file of captures that is there whole or not at all, for its owner alone."""

import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import zstandard

from harness.capture import capture_to_json
from harness.errors import CaptureError
from harness.exchanges import Capture

__all__ = ["CaptureWriter"]

_BUFFER_BYTES: Final = 1 << 18


class CaptureWriter:
    """Writes to a file beside the one that is meant; `publish` puts it in its place, leaving without it removes it."""

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        """Write captures for `path`, packed with zstd when it ends in `.zst`.

        Raises:
            CaptureError: The file is there already, or cannot be made.
        """
        self.path = path
        self.draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self.lines = 0
        if path.exists() and not replace:
            raise CaptureError(f"{path}: is there already; name another file, or give --replace")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CaptureError(f"{path}: cannot be written: {error.strerror}") from None
        self._file: BinaryIO = os.fdopen(descriptor, "wb", _BUFFER_BYTES)
        self._packed: BinaryIO | None = None
        if path.suffix == ".zst":
            compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
            self._packed = cast(BinaryIO, compressor.stream_writer(self._file, closefd=False))

    def write(self, capture: Capture) -> int:
        """Add a capture and return the number of its line."""
        return self.write_line(capture_to_json(capture).encode())

    def write_line(self, line: bytes) -> int:
        """Add a line that is known to hold a capture and return its number."""
        (self._packed or self._file).write(line + b"\n")
        self.lines += 1
        return self.lines

    def finish(self) -> None:
        """Bring everything to disk; the draft can now be read."""
        if self._packed is not None:
            self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def publish(self) -> None:
        """Put the finished draft in its place."""
        self.draft.replace(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self._file.close()
        self.draft.unlink(missing_ok=True)
