"""requirements.lock as it is written: which version of what, when, and by which hashes it is known."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from harness.errors import ConfigError

__all__ = ["LOCK", "Pin", "read_lock"]

LOCK: Final = "requirements.lock"
_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>\S+)(?: ; (?P<marker>[^\\]+?))? ?\\?")
_HASH: Final = re.compile(r" +--hash=sha256:[0-9a-f]{64}(?: \\)?")
_COMMENT: Final = re.compile(r" *#.*| *")


class Pin(NamedTuple):
    """One version of one package."""

    name: str  # as indexes compare names: lower case, "-" between words
    version: str
    marker: str | None  # where it is wanted at all, by PEP 508; None: everywhere
    hashes: int  # how many files are known by their SHA-256
    line: int

    @property
    def applies(self) -> bool:
        """Whether it is wanted in this Python on this machine."""
        return self.marker is None or Marker(self.marker).evaluate()


def read_lock(root: Path) -> list[Pin]:
    """Every pin of the lock below `root`, in its order.

    Raises:
        ConfigError: The lock is missing, or a line of it is neither a pin, a hash nor a comment.
    """
    path = root / LOCK
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); `make lock` writes it") from None
    return list(_pins(path, lines))


def _pins(path: Path, lines: list[str]) -> Iterator[Pin]:
    pin: Pin | None = None
    for number, line in enumerate(lines, 1):
        if pin is not None and _HASH.fullmatch(line):
            pin = pin._replace(hashes=pin.hashes + 1)
        elif found := _PIN.fullmatch(line):
            if pin is not None:
                yield pin
            pin = _pin(path, found, number)
        elif not _COMMENT.fullmatch(line):
            raise ConfigError(
                f"{path}: line {number}: neither a pinned version, a SHA-256 nor a comment; `make lock` writes it anew"
            )
    if pin is not None:
        yield pin


def _pin(path: Path, found: re.Match[str], number: int) -> Pin:
    marker = found["marker"]
    try:
        if marker is not None:
            Marker(marker)
    except InvalidMarker:
        raise ConfigError(f"{path}: line {number}: {marker!r} is no marker; `make lock` writes it anew") from None
    return Pin(canonicalize_name(found["name"]), found["version"], marker, hashes=0, line=number)
