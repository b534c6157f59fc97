"""Build `run.duckdb` from a run's journal, features and judgement, and publish it in one step.

The file is a projection: it is replaced whole, never altered, and may be deleted and rebuilt at any time.
"""

import json
import os
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.store.database import open_db
from harness.store.journal import Record, read_journal
from harness.store.ledger import Ledger
from harness.store.runs import Run
from harness.store.schema import SCHEMA_VERSION, TABLES, Table, ddl

__all__ = ["build", "seal"]


def seal(run: Run) -> Ledger:
    """Rebuild and publish the run's database, and return what its journal adds up to.

    Readers keep the old file until they open it again.

    Raises:
        StoreError: The journal is damaged.
    """
    ledger = Ledger.of(read_journal(run.journal).records)
    temporary = run.path / f".{run.database.name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    try:
        build(temporary, run, ledger)
        temporary.chmod(0o444)
        temporary.replace(run.database)
    finally:
        temporary.unlink(missing_ok=True)
    return ledger


def build(path: Path, run: Run, ledger: Ledger) -> None:
    """Write the projection of a run to `path`, which must not exist yet."""
    judgement = _last(_records(run.judgement))
    rows: dict[str, Iterable[Record]] = {
        "run": [_run_row(ledger)],
        "captures": ledger.captures,
        "exchanges": (_exchange_row(ledger, key) for key in ledger.planned if key in ledger.results),
        "features": _latest_features(_records(run.features)),
        "pair_features": _latest_pair_features(_records(run.pair_features)),
        "gates": judgement.get("gates", ()),
        "verdicts": judgement.get("verdicts", ()),
    }
    with open_db(path, read_only=False) as database:
        database.execute("BEGIN")  # one transaction: a commit for each of 200 statements would take a second
        for statement in ddl():
            database.execute(statement)
        database.execute("COMMIT")
        for name, table_rows in rows.items():
            with database.appender(name) as appender:
                appender.append_rows(list(_tuples(TABLES[name], table_rows)))
        database.execute("CHECKPOINT")
    if path.with_name(path.name + ".wal").exists():
        raise StoreError(f"{path}: the database was not written out whole; seal it again")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run_row(ledger: Ledger) -> Record:
    plan = ledger.plan
    return {
        "run_id": plan["run_id"],
        "kind": plan["kind"],
        "started_at": plan["started_at"],
        "ended_at": ledger.ended_at,
        "capture_sha256": plan["plan"]["capture_sha256"],
        "plan_sha256": plan["plan_sha256"],
        "seed": plan["plan"]["seed"],
        "code_version": plan["code_version"],
        "price_version": plan["plan"]["price_version"],
        "status": "interrupted" if ledger.missing else "complete",
        "planned": len(ledger.planned),
        "schema_version": SCHEMA_VERSION,
        "pacing": ledger.pacing.get("pacing"),
        "held_back_share": ledger.held_back_share,
    }


def _exchange_row(ledger: Ledger, key: str) -> Record:
    return {"run_id": ledger.plan["run_id"], **ledger.results[key]}


def _records(path: Path) -> list[Record]:
    return read_journal(path).records if path.exists() else []


def _last(records: list[Record]) -> Record:
    return records[-1] if records else {}


def _latest_features(records: list[Record]) -> Iterable[Record]:
    """One row an audio: the last measured, so a newer extractor replaces an older one."""
    return {record["audio_sha256"]: record for record in records}.values()


def _latest_pair_features(records: list[Record]) -> Iterable[Record]:
    """One row a pair, as for features."""
    return {(record["capture_id"], record["repetition"], record["lane"]): record for record in records}.values()


def _tuples(table: Table, rows: Iterable[Record]) -> Iterator[tuple[Any, ...]]:
    """Rows as the appender takes them: columns in order, JSON as text, money exact."""
    types = {column.name: column.type for column in table.columns}
    for row in rows:
        unknown = row.keys() - types.keys() - {"type"}
        if unknown:
            raise StoreError(f"table {table.name} has no column {', '.join(sorted(unknown))}")
        yield tuple(_value(types[name], row.get(name)) for name in table.names)


def _value(sql_type: str, value: Any) -> Any:
    if value is None:
        return None
    if sql_type == "JSON":
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if sql_type.startswith("DECIMAL"):
        return Decimal(str(value))
    return value
