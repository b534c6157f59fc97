"""Whether a run is whole: journal, audio, features, judgement and database all say the same.

Reads everything and changes nothing. The journal is the truth; whatever disagrees with it is named.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from harness.errors import StoreError
from harness.exchanges import OK
from harness.store.blobs import BlobStore
from harness.store.database import open_db
from harness.store.journal import Record, read_journal
from harness.store.ledger import Ledger
from harness.store.manifest import manifest_problems
from harness.store.runs import Run
from harness.store.schema import TABLES
from harness.store.seal import build

__all__ = ["problems"]


def problems(run: Run, blobs: BlobStore) -> Iterator[str]:
    """Everything wrong with the run, one sentence each; nothing when it is whole."""
    try:
        contents = read_journal(run.journal)
        ledger = Ledger.of(contents.records)
    except StoreError as error:
        yield str(error)
        return
    if contents.torn_bytes:
        yield f"{run.journal}: the last record is torn ({contents.torn_bytes} bytes); resuming the run cuts it off"
    if ledger.missing:
        yield (
            f"{len(ledger.missing)} of {len(ledger.planned)} planned legs have no outcome, {ledger.missing[0]} first; "
            "the same replay command goes on with them"
        )
    yield from (f"{run.journal}: {problem}" for problem in manifest_problems(ledger))
    yield from _audio(ledger, blobs)
    for path in (run.features, run.pair_features, run.judgement):
        yield from _readable(path)
    yield from _database(run, ledger)


def _audio(ledger: Ledger, blobs: BlobStore) -> Iterator[str]:
    """No answer without its audio, and no audio that changed."""
    for key, row in ledger.results.items():
        if row["outcome"] != OK:
            continue
        try:
            size = len(blobs.get(row["audio_sha256"] or "", row["audio_extension"] or ""))
        except StoreError as error:
            yield f"{key}: {error}"
            continue
        if size != row["audio_bytes"]:
            yield f"{key}: its audio has {size} bytes, the journal says {row['audio_bytes']}"


def _readable(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    try:
        torn_bytes = read_journal(path).torn_bytes
    except StoreError as error:
        yield str(error)
        return
    if torn_bytes:
        yield f"{path}: the last record is torn ({torn_bytes} bytes); the next command that writes it cuts it off"


def _database(run: Run, ledger: Ledger) -> Iterator[str]:
    """The sealed file holds what building it anew would give."""
    if not run.database.is_file():
        yield f"{run.database}: not there; `cutover runs seal {run.id}` builds it"
        return
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.duckdb"
        try:
            build(fresh, run, ledger)
            with open_db(attach={"sealed": run.database, "fresh": fresh}) as database:
                for table in TABLES:
                    for row in _differences(database, table):
                        yield f"{run.database}: {row}; `cutover runs seal {run.id}` rebuilds it"
        except StoreError as error:
            yield str(error)


def _differences(database: duckdb.DuckDBPyConnection, table: str) -> Iterator[str]:
    counts: Record = {}
    for here, there in (("sealed", "fresh"), ("fresh", "sealed")):
        query = f"SELECT count(*) FROM (FROM {here}.{table} EXCEPT ALL FROM {there}.{table})"  # noqa: S608 - our names
        try:
            (counts[here],) = database.execute(query).fetchone() or (0,)
        except duckdb.Error as error:
            yield f"table {table} cannot be read ({str(error).splitlines()[0]})"
            return
    if any(counts.values()):
        yield f"table {table} holds {counts['sealed']} rows it should not and lacks {counts['fresh']}"
