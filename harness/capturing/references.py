"""Reference recordings at rest: AES-256-GCM, under the name of what they decrypt to.

A file is `CUTOVER1`, eight bytes that name the key, a nonce of its own, then ciphertext and tag. The plain SHA-256 is
authenticated with it, so a file that was renamed, swapped or changed does not open. No audio format begins with
`CUTOVER1`: a file without it is plain, as a demo ships them, and is read as well.
"""

import hashlib
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness.capturing.keys import REFERENCES_KEY, KeyRing
from harness.errors import StoreError
from harness.store.blobs import BlobStore

__all__ = ["EncryptedBlobStore"]

_MAGIC: Final = b"CUTOVER1"
_KEY_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_MAGIC) + _KEY_ID_BYTES + _NONCE_BYTES


class EncryptedBlobStore(BlobStore):
    """A folder of recordings named by the SHA-256 of their audio; writes encrypted, reads encrypted and plain."""

    def __init__(self, root: Path, keys: KeyRing) -> None:
        """Use `root`; the key is asked for when a file needs it, and made when the first is written."""
        super().__init__(root)
        self._keys = keys

    def _sealed(self, data: bytes, sha256: str) -> bytes:
        key, nonce = self._keys.key(REFERENCES_KEY), secrets.token_bytes(_NONCE_BYTES)
        return _MAGIC + _key_id(key) + nonce + AESGCM(key).encrypt(nonce, data, sha256.encode())

    def _unsealed(self, path: Path, stored: bytes, sha256: str) -> bytes:
        """The recording, decrypted where it is encrypted.

        Raises:
            StoreError: It was changed, or is encrypted with another key.
        """
        if not stored.startswith(_MAGIC):
            return stored
        key = self._keys.key(REFERENCES_KEY, make=False)
        key_id = stored[len(_MAGIC) : len(_MAGIC) + _KEY_ID_BYTES]
        if key_id != _key_id(key):
            raise StoreError(f"{path}: the recording is encrypted with another key ({key_id.hex()}); put that one back")
        nonce = stored[_HEAD_BYTES - _NONCE_BYTES : _HEAD_BYTES]
        try:
            return AESGCM(key).decrypt(nonce, stored[_HEAD_BYTES:], sha256.encode())
        except (InvalidTag, ValueError):
            raise StoreError(f"{path}: the recording has changed since it was encrypted") from None


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"cutover reference key" + key).digest()[:_KEY_ID_BYTES]
