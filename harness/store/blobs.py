"""Audio by its content: `audio/<aa>/<sha256>.<ext>`, written once and never changed.

A blob is on disk under its final name before any record speaks of it.
"""

import hashlib
import os
import re
import secrets
from pathlib import Path

from harness.errors import StoreError

__all__ = ["BlobStore"]

_NAME = re.compile(r"[0-9a-f]{64}")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")


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
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256, extension)
        if path.exists():
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._sealed(data, sha256))
                file.flush()
                os.fdatasync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return sha256

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
