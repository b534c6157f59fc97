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

__all__ = ["MODULES", "extractor_version", "version_of"]

# Every module of this package that a feature's value comes from.
MODULES: Final = (
    "audio",
    "containers",
    "dynamics",
    "features",
    "levels",
    "pitch",
    "repeats",
    "rhythm",
    "silence",
    "spectrum",
)
_LIBRARIES: Final = ("librosa", "numpy", "pyloudnorm", "scipy", "soundfile", "soxr")


@cache
def extractor_version() -> str:
    """Twelve hexadecimal digits of the extractor in force."""
    here = Path(__file__).parent
    sources = [(here / f"{name}.py").read_bytes() for name in MODULES]
    return version_of(sources, [f"{name}=={version(name)}" for name in _LIBRARIES])


def version_of(sources: Iterable[bytes], libraries: Iterable[str]) -> str:
    """Twelve hexadecimal digits of some source texts and library versions."""
    digest = hashlib.sha256()
    for part in (*sources, *(library.encode() for library in libraries)):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]
