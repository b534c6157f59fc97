"""Whether a run is whole: journal, audio, features, judgement and database all say the same.

Reads everything and changes nothing. The journal is the truth; whatever disagrees with it is named.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

from harness.errors import StoreError
from harness.exchanges import OK
from harness.store.balance import Balance
from harness.store.blobs import BlobStore
from harness.store.database import open_db
from harness.store.journal import JournalFile, Record
from harness.store.manifest import Manifest
from harness.store.runs import Run
from harness.store.schema import TABLES
from harness.store.seal import build

__all__ = ["problems"]

_MEMORY: Final = "128MB"  # for DuckDB, as when sealing


def problems(run: Run, blobs: BlobStore) -> Iterator[str]:
    """Everything wrong with the run, one sentence each; nothing when it is whole."""
    try:
        yield from _journal(run, blobs)
    except StoreError as error:
        yield str(error)
        return
    for path in (run.features, run.pair_features, run.readings, run.judgement):
        yield from _readable(path)
    yield from _database(run)


def _journal(run: Run, blobs: BlobStore) -> Iterator[str]:
    """What of the journal does not fit together, or is not backed by audio."""
    file, manifest = JournalFile(run.journal), Manifest()
    for record in file:
        yield from manifest.add(record)
        yield from _audio(record, blobs)
    balance = manifest.balance
    balance.require_plan()
    if file.torn_bytes:
        yield f"{run.journal}: the last record is torn ({file.torn_bytes} bytes); resuming the run cuts it off"
    if balance.unanswered:
        yield (
            f"{balance.unanswered} of {balance.legs} planned legs have no outcome, {_first_missing(file, balance)} "
            "first; the same replay command goes on with them"
        )
    yield from (f"{run.journal}: {problem}" for problem in manifest.problems())


def _first_missing(file: JournalFile, balance: Balance) -> str:
    planned: Iterator[str] = (leg["key"] for record in file if record["type"] == "planned" for leg in record["legs"])
    return next(key for key in planned if not balance.is_answered(key))


def _audio(record: Record, blobs: BlobStore) -> Iterator[str]:
    """No answer without its audio, and no audio that changed."""
    if record["type"] != "result" or record["row"]["outcome"] != OK:
        return
    key, row = record["leg"], record["row"]
    try:
        size = len(blobs.get(row["audio_sha256"] or "", row["audio_extension"] or ""))
    except StoreError as error:
        yield f"{key}: {error}"
        return
    if size != row["audio_bytes"]:
        yield f"{key}: its audio has {size} bytes, the journal says {row['audio_bytes']}"


def _readable(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    file = JournalFile(path)
    try:
        for _ in file:
            pass
    except StoreError as error:
        yield str(error)
        return
    if file.torn_bytes:
        yield f"{path}: the last record is torn ({file.torn_bytes} bytes); the next command that writes it cuts it off"


def _database(run: Run) -> Iterator[str]:
    """The sealed file holds what building it anew would give."""
    if not run.database.is_file():
        yield f"{run.database}: not there; `cutover runs seal {run.id}` builds it"
        return
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.duckdb"
        try:
            build(fresh, run)
            with open_db(attach={"sealed": run.database, "fresh": fresh}, memory_limit=_MEMORY) as database:
                for table in TABLES:
                    for row in _differences(database, table):
                        yield f"{run.database}: {row}; `cutover runs seal {run.id}` rebuilds it"
        except StoreError as error:
            yield str(error)


def _differences(database: duckdb.DuckDBPyConnection, table: str) -> Iterator[str]:
    """How many rows one file has and the other has not; counted only where their sums of hashes differ."""
    try:
        if _sum(database, "sealed", table) == _sum(database, "fresh", table):
            return
        surplus, lacking = _surplus(database, "sealed", "fresh", table), _surplus(database, "fresh", "sealed", table)
    except duckdb.Error as error:
        yield f"table {table} cannot be read ({str(error).splitlines()[0]})"
        return
    yield f"table {table} holds {surplus} rows it should not and lacks {lacking}"


def _sum(database: duckdb.DuckDBPyConnection, file: str, table: str) -> Any:
    """Count and sum of the hashes of all rows: whatever the size and order of a table, it takes no memory."""
    query = f"SELECT count(*), sum(hash(t)) FROM {file}.{table} AS t"  # noqa: S608 - our names
    return database.execute(query).fetchone()


def _surplus(database: duckdb.DuckDBPyConnection, here: str, there: str, table: str) -> int:
    query = f"SELECT count(*) FROM (FROM {here}.{table} EXCEPT ALL FROM {there}.{table})"  # noqa: S608 - our names
    (count,) = database.execute(query).fetchone() or (0,)
    return int(count)
