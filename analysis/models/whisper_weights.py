"""Whisper weights other than those of the data package: a folder of this machine, or a repository of the hub.

Larger models hear better, and each deployment has its own. Whatever is brought must have the SHA-256 that is named;
for Whisper base that one is known here.
"""

import shutil
from pathlib import Path
from typing import Final

from analysis.models.catalogue import WEIGHTS, WHISPER_BASE_SHA256
from analysis.models.optional import library
from analysis.models.weights import publish, scratch_of, sha256_of
from harness.errors import StoreError, UsageError

__all__ = ["HUB", "bring_whisper"]

HUB: Final = "hub:"
_NEEDED: Final = ("model.bin", "config.json", "tokenizer.json")
_ALSO: Final = ("vocabulary.txt", "vocabulary.json", "preprocessor_config.json")


def bring_whisper(models: Path, source: str, *, sha256: str | None = None) -> Path:
    """Install Whisper from `source` in place of any that was there, and return the folder.

    Args:
        models: The folder of all models.
        source: A folder as CTranslate2 writes it, or `hub:OWNER/NAME`.
        sha256: What its `model.bin` must have; None: it must be Whisper base as Systran publishes it.

    Raises:
        UsageError: The source is not there or lacks a file, or the hub cannot be reached.
        StoreError: The model is another one.
    """
    weights = WEIGHTS["whisper"]
    wanted = (sha256 or WHISPER_BASE_SHA256).lower()
    with scratch_of(models, weights) as scratch:
        ready = scratch / "ready"
        ready.mkdir()
        folder = _from_hub(source.removeprefix(HUB), scratch) if source.startswith(HUB) else Path(source)
        missing = [name for name in _NEEDED if not (folder / name).is_file()]
        if missing:
            raise UsageError(f"{source}: no Whisper model as CTranslate2 writes it, {missing[0]} is missing")
        found = sha256_of(folder / "model.bin")
        if found != wanted:
            raise StoreError(
                f"{source}: model.bin has the SHA-256 {found}, not {wanted}; nothing was installed. "
                "If it is the one you mean, name its hash: --sha256"
            )
        for name in (*_NEEDED, *_ALSO):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, ready / name)
        return publish(models, weights, ready)


def _from_hub(repository: str, scratch: Path) -> Path:
    """A repository's files, by the hub's own client as it is set up on this machine."""
    hub = library("huggingface_hub", extra="intelligibility")
    try:
        return Path(
            hub.snapshot_download(repository, allow_patterns=[*_NEEDED, *_ALSO], local_dir=str(scratch / "hub"))
        )
    except Exception as error:  # noqa: BLE001 - the client raises what its transport happens to raise
        raise UsageError(
            f"{HUB}{repository} cannot be had here ({type(error).__name__}); download it where there is a network "
            "and name the folder: cutover models install intelligibility --from FOLDER"
        ) from None
