"""S8-27: a thousand harmed runs, and `cutover runs verify` names every one of them."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.errors import StoreError
from harness.store.blobs import BlobStore
from harness.store.database import open_db
from harness.store.journal import Journal, read_journal
from harness.store.runs import Run
from harness.store.schema import TABLES
from harness.store.verify import problems
from tests.harness.store.test_seal import run  # noqa: F401 - a fixture under the next one
from tests.harness.store.test_verify import blobs, whole  # noqa: F401 - a sealed run with its audio

JOURNALS, MANIFESTS, ROWS, BYTES = 966, 16, 10, 8  # those of the last two take a database each


def test_they_are_a_thousand() -> None:
    assert JOURNALS + MANIFESTS + ROWS + BYTES == 1_000


def is_found(run: Run, blobs: BlobStore) -> bool:  # noqa: F811 - as a fixture's name
    return next(problems(run, blobs), None) is not None


# What can happen to the bytes of a journal.


def _flip(dice: random.Random, data: bytes) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << dice.randrange(8)]) + data[place + 1 :]


def _drop(dice: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[dice.randrange(len(lines))]
    return b"".join(lines)


def _double(dice: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
    return b"".join(lines)


def _swap(dice: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = dice.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data))]


def _put_in(dice: random.Random, data: bytes) -> bytes:
    place = dice.randrange(len(data) + 1)
    return data[:place] + dice.randbytes(dice.randint(1, 8)) + data[place:]


@pytest.mark.parametrize("harm", [_flip, _drop, _double, _swap, _cut, _put_in], ids=lambda harm: harm.__name__[1:])
def test_every_harmed_journal_is_found(
    whole: Run,  # noqa: F811
    blobs: BlobStore,  # noqa: F811
    harm: Callable[[random.Random, bytes], bytes],
) -> None:
    dice, sound = random.Random(27), whole.journal.read_bytes()
    harmed = 0
    while harmed < JOURNALS // 6:
        data = harm(dice, sound)
        if data == sound:
            continue
        harmed += 1
        whole.journal.write_bytes(data)
        assert is_found(whole, blobs), (harm.__name__, data)
    whole.journal.write_bytes(sound)
    assert not is_found(whole, blobs)


# Whoever rewrites a record can write its checksum anew; the records must still fit one another.


def _another_seed(dice: random.Random, records: list[dict[str, Any]]) -> None:
    records[0]["plan"]["seed"] += dice.randint(1, 99)


def _another_source(dice: random.Random, records: list[dict[str, Any]]) -> None:
    records[0]["plan"]["capture_sha256"] = f"{dice.getrandbits(256):064x}"


def _a_leg_less(dice: random.Random, records: list[dict[str, Any]]) -> None:
    legs = next(record for record in records if record["type"] == "planned")["legs"]
    del legs[dice.randrange(len(legs))]


def _another_audio(dice: random.Random, records: list[dict[str, Any]]) -> None:
    row = next(record for record in records if record["type"] == "result" and record["row"]["audio_sha256"])["row"]
    row["audio_sha256"] = f"{dice.getrandbits(256):064x}"


def _another_outcome(dice: random.Random, records: list[dict[str, Any]]) -> None:
    result = dice.choice([record for record in records if record["type"] == "result"])
    result["row"]["outcome"] = dice.choice(sorted({"ok", "tls", "dns", "auth"} - {result["row"]["outcome"]}))


def _another_price(dice: random.Random, records: list[dict[str, Any]]) -> None:
    row = next(record for record in records if record["type"] == "result" and record["row"]["cost_usd"])["row"]
    row["cost_usd"] = f"0.{dice.randint(100_000, 999_999)}"


def _a_call_less(dice: random.Random, records: list[dict[str, Any]]) -> None:
    records.remove(dice.choice([record for record in records if record["type"] == "intent"]))


def _a_result_less(dice: random.Random, records: list[dict[str, Any]]) -> None:
    records.remove(dice.choice([record for record in records if record["type"] == "result"]))


REWRITES = (
    *(_another_seed, _another_source, _a_leg_less, _another_audio),
    *(_another_outcome, _another_price, _a_call_less, _a_result_less),
)


def test_every_rewritten_record_is_found_though_its_checksum_is_right(whole: Run, blobs: BlobStore) -> None:  # noqa: F811
    dice, sound = random.Random(27), whole.journal.read_bytes()
    for number in range(MANIFESTS):
        whole.journal.write_bytes(sound)
        records = read_journal(whole.journal).records
        rewrite = REWRITES[number % len(REWRITES)]
        rewrite(dice, records)
        whole.journal.unlink()
        with Journal(whole.journal) as journal:
            for record in records:
                journal.append(record)
        assert is_found(whole, blobs), rewrite.__name__


def test_every_changed_row_of_the_database_is_found(whole: Run, blobs: BlobStore, tmp_path: Path) -> None:  # noqa: F811
    dice = random.Random(27)
    sound = shutil.copyfile(whole.database, tmp_path / "sound.duckdb")
    filled = {name for name, rows in _rows(sound).items() if rows}
    cells = [
        (name, column.name)
        for name in sorted(filled)
        for column in TABLES[name].columns
        if column.type in ("VARCHAR", "DOUBLE", "BIGINT", "INTEGER")
    ]
    for number in range(ROWS):
        _replace(whole.database, sound)
        table, column = dice.choice(cells)
        with open_db(whole.database, read_only=False) as database:
            if number % 5 == 0:
                database.execute(f"DELETE FROM {table}")
            elif number % 5 == 1:
                database.execute(f"INSERT INTO {table} FROM {table}")
            else:
                database.execute(f"UPDATE {table} SET {column} = coalesce(({column}::VARCHAR || '7'), '7')")
        assert is_found(whole, blobs), (number, table, column)


def test_every_flipped_byte_of_the_database_is_found_or_changes_no_row(
    whole: Run,  # noqa: F811
    blobs: BlobStore,  # noqa: F811
    tmp_path: Path,
) -> None:
    dice = random.Random(27)
    sound = shutil.copyfile(whole.database, tmp_path / "sound.duckdb")
    data, rows = sound.read_bytes(), _rows(sound)
    found = 0
    for _ in range(BYTES):
        sound.write_bytes(_flip(dice, data))
        _replace(whole.database, sound)
        if is_found(whole, blobs):
            found += 1
        else:
            assert _rows(whole.database) == rows  # in a part of a block that nothing uses
    assert found


def _replace(path: Path, by: Path) -> None:
    path.unlink()
    shutil.copyfile(by, path)


def _rows(path: Path) -> dict[str, list[str]]:
    """Every table's rows in words; none at all of a file that cannot be read."""
    try:
        with open_db(path) as database:
            return {name: sorted(map(repr, database.execute(f"FROM {name}").fetchall())) for name in TABLES}
    except (StoreError, duckdb.Error):
        return {}
