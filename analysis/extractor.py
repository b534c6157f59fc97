"""Which extractor this is: a hash that changes whenever a feature could.

Feature rows carry it, so that rows of different extractors are never taken for the same measure, and a new one can
measure old nights again. Found without importing what it names.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

__all__ = ["MODULES", "PAIR_MODULES", "extractor_version", "pair_extractor_version", "version_of"]

# Every module of this package that a feature's value comes from.
MODULES: Final = (
    "audio",
    "containers",
    "dropouts",
    "dynamics",
    "features",
    "levels",
    "pitch",
    "repeats",
    "rhythm",
    "silence",
    "spectrum",
)
# Every one that a likeness of two audios comes from.
PAIR_MODULES: Final = (
    "alignment",
    "audio",
    "containers",
    "levels",
    "likeness",
    "melody",
    "pitch",
    "silence",
    "spectrum",
    "treble",
    "warping",
)
_LIBRARIES: Final = ("librosa", "numpy", "pyloudnorm", "scipy", "soundfile", "soxr")


@cache
def extractor_version() -> str:
    """Twelve hexadecimal digits of the extractor of features in force."""
    return _version_of_modules(MODULES)


@cache
def pair_extractor_version() -> str:
    """Twelve hexadecimal digits of the extractor of pair features in force."""
    return _version_of_modules(PAIR_MODULES)


def _version_of_modules(names: Iterable[str]) -> str:
    here = Path(__file__).parent
    return version_of(
        [(here / f"{name}.py").read_bytes() for name in names],
        [f"{name}=={version(name)}" for name in _LIBRARIES],
    )


def version_of(sources: Iterable[bytes], libraries: Iterable[str]) -> str:
    """Twelve hexadecimal digits of some source texts and library versions."""
    digest = hashlib.sha256()
    for part in (*sources, *(library.encode() for library in libraries)):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]
