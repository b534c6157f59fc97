"""What a run of the gate leaves behind: one JSON file, sealed by a digest over its canonical content.

The digest finds damage and edits in passing; it is no signature, and whoever writes a record anew can compute it anew.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from harness.errors import StoreError
from harness.security.check import Profile
from harness.security.outcome import Outcome, Status
from harness.security.provenance import Provenance

__all__ = [
    "GATE_VERSION",
    "Record",
    "Sealed",
    "newest_record",
    "read_record",
    "record_name",
    "records_folder",
    "write_record",
]

SCHEMA: Final = 1
GATE_VERSION: Final = "1"  # grows when the same tree could come out otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run of the gate."""

    gate_version: str
    profile: Profile
    started: datetime  # UTC
    ended: datetime
    python: str
    provenance: Provenance
    catalogue_checks: int  # how many there are; fewer were run with --only
    checks: tuple[Outcome, ...]
    exit_status: int  # 0 passed, 1 failed, 2 something grave was not run

    @property
    def summary(self) -> Mapping[str, int]:
        """How many checks ended how."""
        counts = Counter(outcome.status.value for outcome in self.checks)
        return {status.value: counts[status.value] for status in Status}

    @property
    def is_whole(self) -> bool:
        """Whether every check of the catalogue is in it."""
        return len(self.checks) == self.catalogue_checks


_RECORD: Final = TypeAdapter(Record)


def records_folder(home: Path) -> Path:
    """Where records of whole runs lie."""
    return home / "security"


def record_name(started: datetime) -> str:
    """A record's file name; names sort by time."""
    return f"gate-{started:%Y%m%dT%H%M%S}Z.json"


def newest_record(home: Path) -> Path | None:
    """The record written last under `home`; None when there is none."""
    return max(records_folder(home).glob("gate-*.json"), default=None, key=lambda path: path.name)


def write_record(path: Path, record: Record) -> str:
    """Write a record whole or not at all.

    Returns:
        Its digest.

    Raises:
        StoreError: It cannot be written there.
    """
    content = _content(record)
    digest = _digest(content)
    text = json.dumps({**content, "digest": digest}, indent=2, ensure_ascii=False) + "\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; the record of the gate was not kept") from None
    return digest


class Sealed(NamedTuple):
    """A record and the digest that it matched."""

    record: Record
    digest: str


def read_record(path: Path) -> Sealed:
    """The record in `path`, when it is whole and unchanged.

    Raises:
        StoreError: It is missing, no record of this schema, or does not match its digest.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; make a record with: cutover gate run") from None
    except (ValueError, RecursionError):
        raise StoreError(f"{path}: no record of the gate; make one with: cutover gate run") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise StoreError(f"{path}: no record of schema {SCHEMA}; make one with: cutover gate run")
    digest = found.pop("digest", None)
    if digest != _digest(found):
        raise StoreError(f"{path}: its digest does not match what it says, so it was changed; run: cutover gate run")
    for derived in ("schema", "summary"):
        found.pop(derived, None)
    try:
        return Sealed(_RECORD.validate_python(found), str(digest))
    except ValidationError as error:
        raise StoreError(f"{path}: {error.errors(include_url=False)[0]['msg']}; run: cutover gate run") from None


def _content(record: Record) -> dict[str, Any]:
    return {"schema": SCHEMA, "summary": record.summary, **_RECORD.dump_python(record, mode="json")}


def _digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content in the one spelling that sorts keys and spares blanks."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
