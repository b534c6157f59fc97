import hashlib
from pathlib import Path

import pytest

from harness.store.blobs import BlobStore
from harness.store.database import open_db
from harness.store.journal import Journal, read_journal
from harness.store.runs import Run
from harness.store.seal import seal
from harness.store.verify import problems
from tests.builders import an_exchange
from tests.harness.store.test_seal import run  # noqa: F401 - a fixture: a finished run whose control spoke


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "audio")


@pytest.fixture
def whole(run: Run, blobs: BlobStore) -> Run:  # noqa: F811
    """The run with its audio in the store, under its real hash, and sealed."""
    audio = an_exchange().result.audio  # type: ignore[union-attr]  # it is ok, so it speaks
    sha256 = blobs.put(audio, "wav")
    rewrite(run, lambda record: swapped(record, "a" * 64, sha256))
    seal(run)
    return run


def swapped(record: dict[str, object], old: str, new: str) -> dict[str, object]:
    row = record.get("row")
    if isinstance(row, dict) and row["audio_sha256"] == old:
        row["audio_sha256"] = new
    return record


def rewrite(run: Run, change) -> None:  # type: ignore[no-untyped-def]  # noqa: F811 - a function over records
    records = [change(record) for record in read_journal(run.journal).records]
    run.journal.unlink()
    with Journal(run.journal) as journal:
        for record in records:
            journal.append(record)


def found(run: Run, blobs: BlobStore) -> str:  # noqa: F811
    return "\n".join(problems(run, blobs))


def test_a_whole_run_has_no_problems(whole: Run, blobs: BlobStore) -> None:
    assert found(whole, blobs) == ""


def test_a_damaged_journal_is_named_with_its_record(whole: Run, blobs: BlobStore) -> None:
    data = bytearray(whole.journal.read_bytes())
    data[len(data) // 2] ^= 1
    whole.journal.write_bytes(data)

    assert "is damaged" in found(whole, blobs)


def test_a_torn_end_is_reported(whole: Run, blobs: BlobStore) -> None:
    with whole.journal.open("ab") as file:
        file.write(b"9 abc")

    assert "the last record is torn (5 bytes)" in found(whole, blobs)


def test_a_leg_without_outcome_is_named(whole: Run, blobs: BlobStore) -> None:
    whole.journal.write_bytes(b"".join(whole.journal.read_bytes().splitlines(keepends=True)[:-1]))

    assert "1 of 2 planned legs have no outcome, c1/0/candidate first" in found(whole, blobs)


@pytest.mark.parametrize("harm", ["missing", "changed", "shortened"])
def test_audio_that_is_not_what_was_received_is_named(whole: Run, blobs: BlobStore, harm: str) -> None:
    (path,) = blobs.root.rglob("*.wav")
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(b"other" if harm == "changed" else path.read_bytes()[:-1])

    assert found(whole, blobs).startswith("c1/0/control: ")


def test_every_flipped_byte_of_the_audio_is_found(whole: Run, blobs: BlobStore) -> None:
    (path,) = blobs.root.rglob("*.wav")
    audio = path.read_bytes()
    for position in range(len(audio)):
        path.write_bytes(audio[:position] + bytes([audio[position] ^ 1]) + audio[position + 1 :])

        assert "has changed" in found(whole, blobs)


def test_a_database_that_says_something_else_is_named(whole: Run, blobs: BlobStore) -> None:
    whole.database.chmod(0o644)
    with open_db(whole.database, read_only=False) as database:
        database.execute("UPDATE exchanges SET outcome = 'ok'")

    assert "table exchanges holds 1 rows it should not and lacks 1" in found(whole, blobs)


def test_a_database_that_is_not_there_is_named_with_the_remedy(whole: Run, blobs: BlobStore) -> None:
    whole.database.unlink()

    assert f"not there; `cutover runs seal {whole.id}` builds it" in found(whole, blobs)


@pytest.mark.parametrize("part", ["features", "pair_features", "readings", "judgement"])
def test_a_damaged_part_is_named(whole: Run, blobs: BlobStore, part: str) -> None:
    with Journal(getattr(whole, part)) as journal:
        journal.append({"type": "reading", "scorer": "similarity"})
        journal.append({"type": "reading", "scorer": "background"})
    data = bytearray(getattr(whole, part).read_bytes())
    data[20] ^= 1
    getattr(whole, part).write_bytes(data)

    assert f"{getattr(whole, part)}: " in found(whole, blobs)
    assert "is damaged" in found(whole, blobs)


def test_a_measurement_that_was_not_sealed_yet_is_named(whole: Run, blobs: BlobStore) -> None:
    with Journal(whole.features) as features:
        features.append({"type": "feature", "audio_sha256": hashlib.sha256(b"x").hexdigest(), "duration_s": 1.0})

    assert "table features holds 0 rows it should not and lacks 1" in found(whole, blobs)
