"""The keys that captures are sanitised with: from a setting, or a file made on first use that only its owner reads.

Whoever loses the identity key cannot join new captures with old ones; whoever loses the reference key has lost every
encrypted recording. Deleting a key file is therefore also the surest purge there is.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Final

from harness.config import Settings
from harness.errors import ConfigError

__all__ = ["IDENTITY_KEY", "KEY_BYTES", "REFERENCES_KEY", "KeyRing", "open_keys"]

KEY_BYTES: Final = 32
IDENTITY_KEY: Final = "identity"  # names people by
REFERENCES_KEY: Final = "references"  # encrypts recordings
_HEX: Final = re.compile(f"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")


class KeyRing:
    """Keys by name: `IDENTITY_KEY` and `REFERENCES_KEY`."""

    def __init__(self, folder: Path, *, given: dict[str, str | None] | None = None) -> None:
        """Find keys in `folder`.

        Args:
            folder: Where key files lie; made when the first is.
            given: Name → key in hexadecimal digits, as a setting holds it; goes before a file.
        """
        self._folder = folder
        self._given = given or {}
        self._found: dict[str, bytes] = {}

    def key(self, name: str, *, make: bool = True) -> bytes:
        """The key of this name, made when there is none yet.

        Args:
            name: A plain word.
            make: Whether a missing key is made; otherwise it is an error.

        Raises:
            ConfigError: It is no key of 32 bytes, others can read it, or it is missing.
        """
        if name not in self._found:
            value = self._given.get(name)
            self._found[name] = _parsed(value, _setting(name)) if value else self._from_file(name, make=make)
        return self._found[name]

    def _from_file(self, name: str, *, make: bool) -> bytes:
        path = self._folder / f"{name}.key"
        if not path.exists():
            if not make:
                raise ConfigError(f"{path}: the key is missing; put it back, or set {_setting(name)}")
            _make(path)
        try:
            mode, text = path.stat().st_mode, path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{path}: cannot be read as a key; put back the file that was made here") from None
        if mode & 0o077:
            raise ConfigError(f"{path}: others can read this key; run: chmod 600 {path}")
        return _parsed(text.strip(), str(path))


def open_keys(settings: Settings) -> KeyRing:
    """The keys of the settings `CUTOVER_CAPTURE__…`; where those are unset, of files under the home folder."""
    capture = settings.capture
    given = {IDENTITY_KEY: capture.identity_key, REFERENCES_KEY: capture.references_key}
    return KeyRing(
        settings.home / "keys",
        given={name: secret.get_secret_value() if secret else None for name, secret in given.items()},
    )


def _setting(name: str) -> str:
    return f"CUTOVER_CAPTURE__{name.upper()}_KEY"


def _parsed(text: str, what: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise ConfigError(f"{what}: is not {2 * KEY_BYTES} hexadecimal digits; make one with: openssl rand -hex 32")
    return bytes.fromhex(text)


def _make(path: Path) -> None:
    """Write a new key durably; when another process is quicker, its key counts."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
