"""Secrets made to be found again, and a search for them in whatever a program has left behind.

Every key that a test gives to a client, a stand-in or a gateway is one of these, so that one search over all that a run
of the suite leaves behind (tests/canary_search.py) says whether any of them came to light. Each begins with what its
provider's keys begin with, then MARK, then letters that base64, a URL and JSON write differently.
"""

import base64
import contextlib
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote, quote_plus

import duckdb
import zstandard

from harness.errors import StoreError
from harness.store.database import open_db

__all__ = [
    "ADMIN_TOKEN",
    "GITHUB_TOKEN",
    "JWT_SECRET",
    "MARK",
    "MODAL_KEY",
    "MODAL_SECRET",
    "QWEN_KEY",
    "SIGNATURE",
    "VLLM_KEY",
    "WEBHOOK_PATH",
    "Canary",
    "Sighting",
    "contents",
    "sightings",
]

MARK: Final = "KaNaRyKey"  # in no other word; ends at the twelfth letter of a key, by which keys are told apart
QWEN_KEY: Final = "sk-KaNaRyKey+7/one=0123456789abcdef"
MODAL_KEY: Final = "wk-KaNaRyKey+7/two=0123456789abcdef"
MODAL_SECRET: Final = "ws-KaNaRyKey+7/three=0123456789abcde"
VLLM_KEY: Final = "vl-KaNaRyKey+7/four=0123456789abcde"
ADMIN_TOKEN: Final = "ad-KaNaRyKey+7/five=0123456789abcde"
JWT_SECRET: Final = "jw-KaNaRyKey+7/six=0123456789abcdef"
GITHUB_TOKEN: Final = "gh-KaNaRyKey+7/seven=0123456789abcd"
WEBHOOK_PATH: Final = "hook/KaNaRyKey-eight-0123456789abcdef"
SIGNATURE: Final = "si-KaNaRyKey+7/nine=0123456789abcde="

_MOST_BYTES: Final = 256 * 1024 * 1024  # of one packed file: some that tests make would fill any memory
_SHOWN = 12  # characters that would tell a key apart from others (reliability.md S8-02)


@dataclass(frozen=True)
class Sighting:
    """Where a canary came to light, and in which clothes."""

    where: str
    form: str


@dataclass(frozen=True)
class Canary:
    """A secret that appears nowhere else."""

    name: str
    value: str

    def forms(self) -> dict[str, bytes]:
        """What to search for, by the way it would have been written."""
        raw = self.value.encode()
        found = {
            "raw": raw,
            "its beginning": raw[:_SHOWN],
            "hex": raw.hex().encode(),
            "HEX": raw.hex().upper().encode(),
            "url-quoted": quote(self.value, safe="").encode(),
            "form-quoted": quote_plus(self.value).encode(),
            "JSON": self.value.replace("/", "\\/").encode(),
            "reversed": raw[::-1],
        }
        # A secret inside something longer is encoded from any of three positions, and its edges depend on neighbours.
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + raw)
            inner = encoded[(shift * 8 + 5) // 6 : len(encoded) - 4]
            found[f"base64 from {shift}"] = inner
            found[f"url-safe base64 from {shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
        return found

    def found_in(self, data: bytes) -> list[str]:
        """The forms in which it is in there."""
        return [form for form, needle in self.forms().items() if needle in data]


def sightings(canaries: Iterable[Canary], places: Iterable[tuple[str, bytes]]) -> list[Sighting]:
    """Every place where one of them is."""
    kept = list(places)
    return [
        Sighting(f"{canary.name} in {where}", form)
        for canary in canaries
        for where, data in kept
        for form in canary.found_in(data)
    ]


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `folder` by its name, and what it says once unpacked: a packed one would hide anything."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            name = str(path.relative_to(folder))
            yield f"the name {name}", name.encode()
            yield name, path.read_bytes()
            yield from ((f"{name}, {how}", data) for how, data in _unpacked(path))


def _unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """What is inside; nothing of a file that is damaged, as tests make them: its bytes were looked at already."""
    if path.suffix in (".zst", ".gz"):
        with path.open("rb") as packed, contextlib.suppress(zstandard.ZstdError, OSError, EOFError, zlib.error):
            opened = gzip.GzipFile(fileobj=packed) if path.suffix == ".gz" else _zst(packed)
            yield "unpacked", opened.read(_MOST_BYTES)
    if path.suffix == ".duckdb":
        with contextlib.suppress(StoreError, duckdb.Error):
            yield "its rows", _rows(path)


def _zst(packed: BinaryIO) -> zstandard.ZstdDecompressionReader:
    return zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)


def _rows(path: Path) -> bytes:
    with open_db(path) as db:
        tables = [row[0] for row in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        safe = [table for table in tables if re.fullmatch(r"[a-z_]+", table)]
        return repr([db.execute(f"SELECT * FROM {table}").fetchall() for table in safe]).encode()
