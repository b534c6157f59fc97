"""Build `run.duckdb` from a run's journal, features and judgement, and publish it in one step.

The file is a projection: it is replaced whole, never altered, and may be deleted and rebuilt at any time.
"""

import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import duckdb

from harness.errors import StoreError
from harness.store.balance import Balance
from harness.store.database import open_db
from harness.store.journal import JournalFile, Record
from harness.store.key_table import KeyTable
from harness.store.runs import Run
from harness.store.schema import SCHEMA_VERSION, TABLES, Table, ddl

__all__ = ["build", "seal"]

_BATCH: Final = 1_000  # rows handed over at once
_MEMORY: Final = "128MB"  # for DuckDB; whatever the run's size, what is above it is written out
_NONE: Final = -1  # the place of an answer that is not there


def seal(run: Run) -> Balance:
    """Rebuild and publish the run's database, and return what its journal adds up to.

    Readers keep the old file until they open it again.

    Raises:
        StoreError: The journal is damaged.
    """
    temporary = run.path / f".{run.database.name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    try:
        balance = build(temporary, run)
        temporary.chmod(0o444)
        temporary.replace(run.database)
    finally:
        temporary.unlink(missing_ok=True)
    return balance


def build(path: Path, run: Run) -> Balance:
    """Write the projection of a run to `path`, which must not exist yet, and return what its journal adds up to.

    Raises:
        StoreError: The journal is damaged, or was never begun.
    """
    with open_db(path, read_only=False, memory_limit=_MEMORY) as database:
        database.execute("BEGIN")  # one transaction: a commit for each of 200 statements would take a second
        for statement in ddl():
            database.execute(statement)
        database.execute("COMMIT")
        balance = _fill(database, run)
        database.execute("CHECKPOINT")
    if path.with_name(path.name + ".wal").exists():
        raise StoreError(f"{path}: the database was not written out whole; seal it again")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return balance


def _fill(database: duckdb.DuckDBPyConnection, run: Run) -> Balance:
    answers = _Answers(JournalFile(run.journal))
    _append(database, "captures", answers.captures())
    answers.balance.require_plan()
    judgement = _last(run.judgement)
    _append(database, "run", [_run_row(answers.balance)])
    _append(database, "exchanges", answers.exchanges())
    _append(database, "features", _latest(run.features, lambda row: row["audio_sha256"]))
    _append(database, "pair_features", _latest(run.pair_features, _pair))
    _append(database, "gates", judgement.get("gates", ()))
    _append(database, "verdicts", judgement.get("verdicts", ()))
    return answers.balance


class _Answers:
    """A journal read twice: once to add it up and find every leg's last answer, once to fetch those."""

    def __init__(self, journal: JournalFile) -> None:
        self.balance = Balance()
        self._journal = journal
        self._places = array("q")  # by the leg's number

    def captures(self) -> Iterator[Record]:
        """Rows of table `captures` in planned order; when all are taken, the journal is added up."""
        for place, record in self._journal.placed():
            self.balance.add(record)
            if record["type"] == "planned":
                self._places.extend([_NONE] * len(record["legs"]))
                if record["capture"] is not None:  # later repetitions leave it out
                    yield record["capture"]
            elif record["type"] == "result":
                number = self.balance.number(record["leg"])
                if number is not None:  # the balance refuses what was not planned
                    self._places[number] = place

    def exchanges(self) -> Iterator[Record]:
        """Rows of table `exchanges` in planned order."""
        run_id = self.balance.plan["run_id"]
        for record in self._journal.at(place for place in self._places if place != _NONE):
            yield {"run_id": run_id, **record["row"]}


def _run_row(balance: Balance) -> Record:
    plan = balance.plan
    return {
        "run_id": plan["run_id"],
        "kind": plan["kind"],
        "started_at": plan["started_at"],
        "ended_at": balance.ended_at,
        "capture_sha256": plan["plan"]["capture_sha256"],
        "plan_sha256": plan["plan_sha256"],
        "seed": plan["plan"]["seed"],
        "code_version": plan["code_version"],
        "price_version": plan["plan"]["price_version"],
        "status": "interrupted" if balance.unanswered else "complete",
        "planned": balance.legs,
        "schema_version": SCHEMA_VERSION,
        "pacing": balance.pacing.get("pacing"),
        "held_back_share": balance.held_back_share,
    }


def _last(path: Path) -> Record:
    last: Record = {}
    for record in JournalFile(path) if path.exists() else ():
        last = record
    return last


def _pair(row: Record) -> str:
    return f"{row['capture_id']}/{row['repetition']}/{row['lane']}"


def _latest(path: Path, name_of: Callable[[Record], str]) -> Iterator[Record]:
    """The last record of each name, in the order of the first: a newer extractor replaces an older one."""
    if not path.exists():
        return
    file, names, places = JournalFile(path), KeyTable(), array("q")
    for place, record in file.placed():
        number = names.number(name_of(record))
        if number == len(places):
            places.append(place)
        else:
            places[number] = place
    yield from file.at(places)


def _append(database: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Record]) -> None:
    tuples = _tuples(TABLES[name], rows)
    with database.appender(name) as appender:
        while batch := list(islice(tuples, _BATCH)):
            appender.append_rows(batch)


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
