"""Captures taken out of a file for good: by age, by person, by voice, with the recordings that only they spoke of."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import CaptureError, StoreError
from harness.exchanges import Capture
from harness.store.journal import JournalFile
from harness.store.rows import Row
from harness.store.runs import Run, list_runs
from replay.exporters.capture_writer import CaptureWriter
from replay.sources import CaptureFile, read_captures

__all__ = ["Criteria", "Purge", "carry_out", "plan_purge", "runs_that_hold", "write_proof"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What has to go: captures that meet all of these."""

    captured_before: datetime | None = None
    user_key: str | None = None
    voice_id: str | None = None

    def meets(self, capture: Capture) -> bool:
        """Whether the capture has to go."""
        return self._meet(capture.captured_at, capture.user_key, capture.request.voice.id)

    def meets_row(self, row: Row) -> bool:
        """The same of a capture as a run's journal holds it."""
        return self._meet(datetime.fromisoformat(row["captured_at"]), row["user_key"], row["voice_id"])

    def _meet(self, captured_at: datetime, user_key: str | None, voice_id: str | None) -> bool:
        return (
            (self.captured_before is None or captured_at < self.captured_before)
            and (self.user_key is None or user_key == self.user_key)
            and (self.voice_id is None or voice_id == self.voice_id)
        )

    def facts(self) -> dict[str, str | None]:
        """As JSON; holds pseudonyms only."""
        before = self.captured_before.isoformat() if self.captured_before else None
        return {"captured_before": before, "user_key": self.user_key, "voice_id": self.voice_id}


@dataclass(frozen=True, slots=True)
class Purge:
    """What a purge takes."""

    captures: int
    kept: int
    bad_lines: int  # that are no captures: nobody can tell whom they are about, so they go as well
    recordings: tuple[str, ...]  # that no capture in the folder needs any more
    unreadable: tuple[str, ...]  # other capture files that could not be asked; recordings then stay


def plan_purge(source: CaptureFile, criteria: Criteria) -> Purge:
    """What would go; nothing is changed."""
    gone: set[str] = set()
    needed: set[str] = set()
    captures = kept = 0
    for capture in source:
        reference = capture.request.voice.reference
        if criteria.meets(capture):
            captures += 1
            gone |= {reference.sha256} if reference else set()
        else:
            kept += 1
            needed |= {reference.sha256} if reference else set()
    unreadable: list[str] = []
    if gone - needed:
        for other in _neighbours(source.path):
            try:
                needed |= _recordings(read_captures(other, quarantine=source.quarantine.parent))
            except CaptureError:
                unreadable.append(other.name)
    orphans = () if unreadable else tuple(sorted(gone - needed))
    return Purge(captures, kept, source.counts.quarantined, orphans, tuple(unreadable))


def _neighbours(path: Path) -> list[Path]:
    """Other capture files whose recordings lie in the same folder."""
    found = [*path.parent.glob("*.jsonl"), *path.parent.glob("*.jsonl.zst")]
    return sorted(one for one in found if one != path and not one.name.endswith(".quarantine.jsonl"))


def _recordings(captures: Iterable[Capture]) -> set[str]:
    references = (capture.request.voice.reference for capture in captures)
    return {reference.sha256 for reference in references if reference is not None}


def carry_out(source: CaptureFile, criteria: Criteria, purge: Purge) -> None:
    """Write the file anew without what has to go, then delete the recordings.

    Raises:
        CaptureError: The file cannot be written; it is then as it was.
    """
    with CaptureWriter(source.path, replace=True) as writer:
        for capture in source:
            if not criteria.meets(capture):
                writer.write(capture)
        writer.finish()
        writer.publish()
    source.quarantine.unlink(missing_ok=True)
    for sha256 in purge.recordings:
        path = source.references.find(sha256)
        if path is not None:
            path.unlink(missing_ok=True)


def runs_that_hold(home: Path, criteria: Criteria) -> list[Path]:
    """The folders of runs under `home` in which words of what has to go were replayed or recorded, oldest first.

    A journal is never written anew, so such a run can only go whole; whether its verdict is still needed is for people
    to say. A run whose journal is damaged is taken for one that holds some.
    """
    return [run.path for run in list_runs(home) if _holds(run, criteria)]


def _holds(run: Run, criteria: Criteria) -> bool:
    try:
        return any(
            criteria.meets_row(record["capture"]) for record in JournalFile(run.journal) if record["type"] == "planned"
        )
    except (StoreError, KeyError, TypeError, ValueError):
        return True


def write_proof(path: Path, source: Path, criteria: Criteria, purge: Purge, *, at: datetime) -> None:
    """Add to the record of purges what was taken, without saying what it was."""
    record: dict[str, Any] = {
        "at": at.isoformat(),
        "file": source.name,
        "criteria": criteria.facts(),
        "captures": purge.captures,
        "kept": purge.kept,
        "bad_lines": purge.bad_lines,
        "recordings": len(purge.recordings),
        "sha256_after": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())
