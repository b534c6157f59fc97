"""Secrets made to be found again, and a search for them in whatever a program has left behind."""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import zstandard

from harness.store.database import open_db

__all__ = ["Canary", "Sighting", "contents", "sightings"]

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
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        yield f"the name {name}", name.encode()
        yield name, path.read_bytes()
        if path.suffix == ".zst":
            with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as reader:
                yield f"{name}, unpacked", reader.read()
        if path.suffix == ".duckdb":
            yield f"{name}, its rows", _rows(path)


def _rows(path: Path) -> bytes:
    with open_db(path) as db:
        tables = [row[0] for row in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        safe = [table for table in tables if re.fullmatch(r"[a-z_]+", table)]
        return repr([db.execute(f"SELECT * FROM {table}").fetchall() for table in safe]).encode()
