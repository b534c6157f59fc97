"""Reference recordings at rest: AES-256-GCM, under the name of what they decrypt to.

A file is `CUTOVER1`, eight bytes that name the key, a nonce of its own, then ciphertext and tag. The plain SHA-256 is
authenticated with it, so a file that was renamed, swapped or changed does not open. Plain files, as a demo ships them,
are read as well.
"""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness.errors import StoreError
from harness.store.blobs import BlobStore
from replay.sanitising.keys import KeyRing

__all__ = ["KEY_NAME", "EncryptedBlobStore"]

KEY_NAME: Final = "references"
_MAGIC: Final = b"CUTOVER1"
_KEY_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_MAGIC) + _KEY_ID_BYTES + _NONCE_BYTES


class EncryptedBlobStore:
    """A folder of recordings named by the SHA-256 of their audio; writes encrypted, reads both."""

    def __init__(self, root: Path, keys: KeyRing) -> None:
        """Use `root`; the key is asked for when a file needs it, and made when the first is written."""
        self.root = root
        self._keys = keys
        self._plain = BlobStore(root)

    def path(self, sha256: str, extension: str) -> Path:
        """Where the recording lies, or would lie; raises StoreError when the name is none."""
        return self._plain.path(sha256, extension)

    def find(self, sha256: str) -> Path | None:
        """The recording's file whatever its extension; None when it is not here."""
        return self._plain.find(sha256)

    def put(self, data: bytes, extension: str) -> str:
        """Store `data` durably and encrypted; a recording already there is left alone. Returns its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256, extension)
        if path.exists():
            return sha256
        key, nonce = self._keys.key(KEY_NAME), secrets.token_bytes(_NONCE_BYTES)
        sealed = _MAGIC + _key_id(key) + nonce + AESGCM(key).encrypt(nonce, data, sha256.encode())
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fdatasync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return sha256

    def get(self, sha256: str, extension: str) -> bytes:
        """The recording, decrypted where it is encrypted.

        Raises:
            StoreError: It is missing, was changed, or is encrypted with another key.
        """
        path = self.path(sha256, extension)
        try:
            sealed = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(f"{path}: the recording is missing from the store") from None
        data = self._opened(path, sealed, sha256) if sealed.startswith(_MAGIC) else sealed
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"{path}: the recording has changed since it was stored")
        return data

    def _opened(self, path: Path, sealed: bytes, sha256: str) -> bytes:
        key = self._keys.key(KEY_NAME, make=False)
        key_id = sealed[len(_MAGIC) : len(_MAGIC) + _KEY_ID_BYTES]
        if key_id != _key_id(key):
            raise StoreError(f"{path}: the recording is encrypted with another key ({key_id.hex()}); put that one back")
        nonce = sealed[_HEAD_BYTES - _NONCE_BYTES : _HEAD_BYTES]
        try:
            return AESGCM(key).decrypt(nonce, sealed[_HEAD_BYTES:], sha256.encode())
        except (InvalidTag, ValueError):
            raise StoreError(f"{path}: the recording has changed since it was encrypted") from None


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"cutover reference key" + key).digest()[:_KEY_ID_BYTES]
