"""The exchanges of a sealed run, read one after the other: a run may hold millions."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from harness.store.database import open_db

__all__ = ["metadata_of", "pairs_of", "together"]

Row = Mapping[str, Any]

_BATCH: Final = 1_000  # rows fetched at once
_MEMORY: Final = "256MB"  # for DuckDB
_COLUMNS: Final = ("capture_id", "repetition", "lane", "position", "outcome", "service_s", "from_due_s", "sent_at")


def pairs_of(database: Path) -> Iterator[dict[str, Row]]:
    """Lane → what is timed of its exchange, for each capture and repetition in planned order.

    Raises:
        StoreError: The file is missing or damaged.
    """
    return together(_rows(database, _COLUMNS))


def metadata_of(database: Path) -> Iterator[dict[str, Any]]:
    """What else is known of each exchange.

    Raises:
        StoreError: The file is missing or damaged.
    """
    return (json.loads(row["metadata"] or "{}") for row in _rows(database, ("metadata",)))


def together(rows: Iterable[Row]) -> Iterator[dict[str, Row]]:
    """Rows that follow one another for one capture and repetition, by lane."""
    for _, same in groupby(rows, lambda row: (row["capture_id"], row["repetition"])):
        yield {row["lane"]: row for row in same}


def _rows(database: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    with open_db(database, memory_limit=_MEMORY) as opened:
        found = opened.execute(f"SELECT {', '.join(columns)} FROM exchanges")  # noqa: S608 - our names
        while batch := found.fetchmany(_BATCH):
            yield from (dict(zip(columns, values, strict=True)) for values in batch)
