import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.errors import StoreError
from harness.store.blobs import BlobStore
from harness.store.compact import leftovers, remove
from harness.store.journal import Journal
from harness.store.runs import audio_store

LATER = SystemClock().now() + timedelta(days=2)  # files are stamped by the machine's own clock


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return audio_store(tmp_path)


def a_run(home: Path, *rows: dict[str, object], name: str = "r1") -> Path:
    path = home / "runs" / name / "journal.jsonl"
    with Journal(path) as journal:
        journal.append({"type": "plan"})
        for row in rows:
            journal.append({"type": "result", "leg": "x", "row": row})
    return path


def names(home: Path, now: datetime = LATER) -> list[str]:
    return [leftover.path.name for leftover in leftovers(home, now=now)]


def test_audio_that_a_journal_names_stays_and_other_audio_goes(tmp_path: Path, blobs: BlobStore) -> None:
    kept, orphan = blobs.put(b"kept", "wav"), blobs.put(b"orphan", "wav")
    a_run(tmp_path, {"audio_sha256": kept}, {"audio_sha256": None})

    found = leftovers(tmp_path, now=LATER)
    freed_bytes = remove(found)

    assert [leftover.path.name for leftover in found] == [f"{orphan}.wav"]
    assert freed_bytes == len(b"orphan")
    assert blobs.get(kept, "wav") == b"kept"
    assert names(tmp_path) == []


def test_audio_that_only_a_measurement_names_stays(tmp_path: Path, blobs: BlobStore) -> None:
    measured, compared = blobs.put(b"measured", "wav"), blobs.put(b"compared", "wav")
    run = a_run(tmp_path).parent
    for name, key, sha256 in (("features", "audio_sha256", measured), ("pairs", "other_sha256", compared)):
        with Journal(run / f"{name}.jsonl") as journal:
            journal.append({"type": name, key: sha256})

    assert names(tmp_path) == []


def test_files_that_a_kill_left_half_written_go(tmp_path: Path, blobs: BlobStore) -> None:
    kept = blobs.put(b"kept", "wav")
    run = a_run(tmp_path, {"audio_sha256": kept}).parent
    (blobs.root / kept[:2] / f".{kept}.wav.1a2b3c4d").touch()
    (run / ".run.duckdb.4711").touch()

    assert names(tmp_path) == [f".{kept}.wav.1a2b3c4d", ".run.duckdb.4711"]


def test_what_is_younger_than_a_day_stays(tmp_path: Path, blobs: BlobStore) -> None:
    orphan = blobs.put(b"orphan", "wav")

    assert names(tmp_path, SystemClock().now()) == []
    os.utime(blobs.path(orphan, "wav"), (0, 0))
    assert names(tmp_path, SystemClock().now()) == [f"{orphan}.wav"]


def test_while_a_run_is_written_nothing_is_even_looked_for(tmp_path: Path) -> None:
    path = a_run(tmp_path)

    with Journal(path), pytest.raises(StoreError, match="a run is being written; compact when it has ended"):
        leftovers(tmp_path, now=LATER)


def test_a_damaged_journal_stops_it_before_anything_is_lost(tmp_path: Path, blobs: BlobStore) -> None:
    path = a_run(tmp_path, {"audio_sha256": blobs.put(b"kept", "wav")})
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)

    with pytest.raises(StoreError, match="is damaged"):
        leftovers(tmp_path, now=LATER)
