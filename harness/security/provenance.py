"""What a run of the gate looked at, so that its record can be held against what runs later."""

import hashlib
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

__all__ = ["LOCK", "Provenance", "code_sha256", "file_sha256", "provenance_of"]

LOCK: Final = Path("requirements.lock")
_PACKAGES: Final = ("harness", "replay", "analysis", "dashboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The state of a checkout, or of an installed copy, which has no commit."""

    commit: str | None
    dirty: bool | None  # whether anything differs from the commit; None without one
    code_version: str
    code_sha256: str  # of the modules that run
    lock_sha256: str | None  # None where the lock was not shipped


def provenance_of(root: Path) -> Provenance:
    """What lies at `root` now."""
    status = _git(root, "status", "--porcelain")
    lock = root / LOCK
    return Provenance(
        commit=(_git(root, "rev-parse", "--verify", "HEAD") or "").strip() or None,
        dirty=None if status is None else bool(status.strip()),
        code_version=version("voice-cutover"),
        code_sha256=code_sha256(root),
        lock_sha256=file_sha256(lock) if lock.is_file() else None,
    )


def code_sha256(root: Path) -> str:
    """One hash over every module of ours and its place: two trees that share it run the same code."""
    whole = hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (root / package).rglob("*.py")):
        whole.update(f"{path.relative_to(root).as_posix()}\0{file_sha256(path)}\n".encode())
    return whole.hexdigest()


def file_sha256(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git(root: Path, *arguments: str) -> str | None:
    """What git says; None where it is not installed or this is no checkout of its own."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
