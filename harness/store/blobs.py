"""Audio by its content: `audio/<aa>/<sha256>.<ext>`, written once and never changed.

A blob is on disk under its final name before any record speaks of it.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from harness.errors import StoreError

__all__ = ["BlobStore"]

_NAME = re.compile(r"[0-9a-f]{64}")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_WRITE_OUT: Final = getattr(os, "posix_fadvise", None)  # which not every system has


class BlobStore:
    """A folder of audio files named by their SHA-256."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str, extension: str) -> Path:
        """Where the blob lies, or would lie.

        Raises:
            StoreError: The name is no hash or the extension no plain word, so it could leave the folder.
        """
        if not _NAME.fullmatch(sha256) or not _EXTENSION.fullmatch(extension):
            raise StoreError(f"{sha256[:80]!r}.{extension[:20]!r} does not name a blob")
        return self.root / sha256[:2] / f"{sha256}.{extension}"

    def put(self, data: bytes, extension: str) -> str:
        """Store `data` durably and return its SHA-256; a blob already there is left alone."""
        return self.put_all([(data, extension)])[0]

    def put_all(self, blobs: Sequence[tuple[bytes, str]]) -> list[str]:
        """Store several blobs durably, for less than each would cost alone, and return their SHA-256.

        Args:
            blobs: Data and extension of each; equal ones are stored once.

        Raises:
            OSError: Not all of them could be stored. None of them is there in part.
        """
        names: list[str] = []
        with ExitStack() as stack:
            drafts: dict[str, _Draft] = {}
            token = secrets.token_hex(4)  # tells our drafts from those of other processes
            for data, extension in blobs:
                sha256 = hashlib.sha256(data).hexdigest()
                names.append(sha256)
                path = str(self.path(sha256, extension))
                if path not in drafts and not os.path.exists(path):  # noqa: PTH110 - half the time of a Path's
                    drafts[path] = draft = stack.enter_context(_Draft(path, token))
                    draft.write(self._sealed(data, sha256))
            for draft in drafts.values():
                draft.publish()
        return names

    def get(self, sha256: str, extension: str) -> bytes:
        """The blob's bytes.

        Raises:
            StoreError: It is missing, or its bytes no longer match its name.
        """
        path = self.path(sha256, extension)
        try:
            data = self._unsealed(path, path.read_bytes(), sha256)
        except FileNotFoundError:
            raise StoreError(f"{path}: the audio is missing from the store") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"{path}: the audio has changed since it was stored")
        return data

    def find(self, sha256: str) -> Path | None:
        """The blob's file whatever its extension; None when it is not here."""
        if not _NAME.fullmatch(sha256):
            return None
        return next(iter(sorted((self.root / sha256[:2]).glob(f"{sha256}.*"))), None)

    def _sealed(self, data: bytes, sha256: str) -> bytes:
        """What is written for a blob; a store that encrypts says so here."""
        return data

    def _unsealed(self, path: Path, stored: bytes, sha256: str) -> bytes:
        """The blob that was written as `stored`."""
        return stored


class _Draft:
    """The file of a blob until its bytes are on disk, under a name that nobody looks for. Use with `with`."""

    def __init__(self, path: str, token: str) -> None:
        """Make the file, and its folder where that is missing."""
        folder, _, name = path.rpartition("/")
        self._path = path
        self._temporary = f"{folder}/.{name}.{token}"
        self._is_published = False
        try:
            self._descriptor = os.open(self._temporary, _NEW_FILE, 0o600)
        except FileNotFoundError:
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self._temporary, _NEW_FILE, 0o600)

    def write(self, data: bytes) -> None:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        # Linux begins to write out what it is told will not be needed. With the files of a group all under way, the
        # first that is waited for makes the file system commit for all: half the time of one commit each (measured).
        if _WRITE_OUT is not None:
            _WRITE_OUT(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def publish(self) -> None:
        """Give the file its name, once its bytes are on disk."""
        os.fdatasync(self._descriptor)
        os.replace(self._temporary, self._path)  # noqa: PTH105 - a fifth of the time of a Path's
        self._is_published = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        if not self._is_published:
            Path(self._temporary).unlink(missing_ok=True)
