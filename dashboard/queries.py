"""Fetch what the pages show from sealed runs, and remember it until a run is sealed anew.

Every read attaches the sealed file read-only to a database in memory and closes it before it returns, so nobody is
ever locked out. What is remembered belongs to one published state of the file: a file that was replaced is read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import duckdb
import polars as pl
import streamlit as st

from harness.errors import ErrorKind, StoreError
from harness.store.choosing import newest
from harness.store.database import open_db
from harness.store.runs import Run, list_runs
from harness.store.schema import SCHEMA_VERSION

__all__ = [
    "ALL",
    "MEASURES",
    "Sealed",
    "curves",
    "facts",
    "failed_requests",
    "frame_of",
    "gates",
    "lanes",
    "languages",
    "latest",
    "outcomes",
    "percentiles",
    "percentiles_by_length",
    "sealed_runs",
    "verdicts",
]

ALL: Final = "all"  # a filter that lets everything through
MEASURES: Final = MappingProxyType(  # what a latency may mean → its column
    {
        "whole reply": "service_s",
        "first byte": "first_byte_s",
        "from due": "from_due_s",
        "in our queue": "queued_s",
    }
)
_TIMEOUTS: Final = [kind.value for kind in ErrorKind if kind.value.startswith("timeout")]


@dataclass(frozen=True, slots=True)
class Sealed:
    """One published state of a run's file: what a remembered answer belongs to."""

    run_id: str
    database: str  # path of the sealed file
    mtime_ns: int
    size_bytes: int


def sealed_runs(home: Path) -> list[Sealed]:
    """Every run under `home` that has a sealed file, newest first."""
    found = (_sealed(run) for run in reversed(list_runs(home)))
    return [sealed for sealed in found if sealed]


def latest(runs: Sequence[Sealed]) -> Sealed:
    """What `latest` means to a page as to every command: the newest replay; a live run where there is no other.

    Args:
        runs: At least one, newest first.
    """
    by_run = {Run(Path(each.database).parent): each for each in runs}
    chosen = newest(by_run)
    return by_run[chosen] if chosen else runs[0]


def _sealed(run: Run) -> Sealed | None:
    try:
        status = run.database.stat()
    except FileNotFoundError:
        return None
    return Sealed(run.id, str(run.database), status.st_mtime_ns, status.st_size)


def frame_of(sealed: Sealed, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """What `sql` answers on the run's own tables; remembers nothing.

    Raises:
        StoreError: The file is missing, damaged or lacks a table or column; names it and the remedy.
    """
    with open_db(attach={"sealed": Path(sealed.database)}, memory_limit="1GB") as database:
        try:
            database.execute("USE sealed")
            answer: pl.DataFrame = database.sql(sql, params=dict(params or {})).pl()
            return answer
        except duckdb.Error as error:
            first_line = str(error).splitlines()[0]
            remedy = f"`cutover runs seal {sealed.run_id}` rebuilds it"
            raise StoreError(f"{sealed.database}: cannot be read ({first_line}); {remedy}") from None


_FACTS = """
    SELECT run.*,
      (SELECT count(*) FROM captures) AS captures,
      (SELECT count(*) FROM exchanges) AS answered,
      (SELECT count(*) FROM exchanges WHERE audio_sha256 IS NOT NULL) AS sounds,
      (SELECT count(*) FROM exchanges AS e JOIN features AS f USING (audio_sha256)) AS measured
    FROM run
"""


@st.cache_data(max_entries=16, show_spinner=False)
def facts(sealed: Sealed) -> dict[str, Any]:
    """The run's own row, with how many captures, legs answered, sounds and sounds measured it holds.

    Raises:
        StoreError: The file was sealed by a newer version, whose columns may mean something else.
    """
    row = frame_of(sealed, _FACTS).row(0, named=True)
    if row["schema_version"] > SCHEMA_VERSION:
        raise StoreError(
            f"{sealed.database}: sealed by a newer cutover ({row['code_version']}); "
            f"update this one, or rebuild the file with it by `cutover runs seal {sealed.run_id}`"
        )
    return row


@st.cache_data(max_entries=16, show_spinner=False)
def verdicts(sealed: Sealed) -> pl.DataFrame:
    """The verdict rows, all operations first; empty when nothing was judged."""
    return frame_of(sealed, "SELECT * FROM verdicts ORDER BY operation IS NOT NULL, rowid")


@st.cache_data(max_entries=16, show_spinner=False)
def gates(sealed: Sealed) -> pl.DataFrame:
    """The gate rows in the order they were judged; empty when nothing was judged."""
    return frame_of(sealed, "SELECT * FROM gates ORDER BY rowid")


# A timeout counts as the slowest answer there is; any other failure has no latency and is counted with the failures.
_TIMED = """
    SELECT e.operation, e.lane, e.outcome, e.cost_usd, k.text_chars, k.billed_chars,
      CASE WHEN e.outcome = 'ok' THEN e.{column}
           WHEN list_contains($timeouts, e.outcome) THEN 'infinity'::DOUBLE END AS seconds
    FROM exchanges AS e JOIN captures AS k USING (capture_id)
"""
_LANES = """
    SELECT operation, lane,
      count(*) AS legs,
      count(*) FILTER (outcome = 'ok') AS ok,
      count(*) FILTER (outcome <> 'ok') AS failed,
      count(*) FILTER (list_contains($timeouts, outcome)) AS timed_out,
      quantile_disc(seconds, 0.5) AS p50_s,
      quantile_disc(seconds, 0.95) AS p95_s,
      sum(cost_usd)::DOUBLE AS cost_usd,
      count(*) FILTER (cost_usd IS NULL) AS unknown_costs,
      sum(cost_usd) FILTER (outcome = 'ok')::DOUBLE
        / nullif(count(*) FILTER (outcome = 'ok' AND cost_usd IS NOT NULL), 0) AS usd_per_request,
      1000 * sum(cost_usd) FILTER (outcome = 'ok')::DOUBLE
        / nullif(sum(billed_chars) FILTER (outcome = 'ok' AND cost_usd IS NOT NULL), 0) AS usd_per_1k_chars
    FROM ({timed}) GROUP BY ALL ORDER BY ALL
"""


def _timed(measure: str) -> str:
    return _TIMED.format(column=MEASURES[measure])


@st.cache_data(max_entries=16, show_spinner=False)
def lanes(sealed: Sealed) -> pl.DataFrame:
    """How each lane fared by operation: legs, outcomes, p50 and p95 of the whole reply, cost.

    Percentiles are infinite where they fall on a timeout; costs leave out what is unknown and count it.
    """
    return frame_of(sealed, _LANES.format(timed=_timed("whole reply")), {"timeouts": _TIMEOUTS})


_CURVES = """
    SELECT operation, lane, unnest($shares) AS share, unnest(quantile_disc(seconds, $shares)) AS seconds
    FROM ({timed}) WHERE seconds IS NOT NULL GROUP BY operation, lane
"""


@st.cache_data(max_entries=32, show_spinner=False)
def curves(sealed: Sealed, measure: str) -> pl.DataFrame:
    """The distribution of `measure` by operation and lane: at each share of requests, the seconds they took at most.

    Shares that only a timeout reaches are left out, so a curve that ends below 1 shows what never came.
    """
    shares = [step / 200 for step in range(1, 201)]
    frame = frame_of(sealed, _CURVES.format(timed=_timed(measure)), {"timeouts": _TIMEOUTS, "shares": shares})
    return frame.filter(pl.col("seconds").is_finite()).sort("operation", "lane", "share")


_PERCENTILES = """
    SELECT {group}, lane, count(seconds) AS n, count(*) FILTER (isinf(seconds)) AS timed_out,
      quantile_disc(seconds, 0.5) AS p50_s, quantile_disc(seconds, 0.9) AS p90_s,
      quantile_disc(seconds, 0.95) AS p95_s, quantile_disc(seconds, 0.99) AS p99_s
    FROM ({timed}) WHERE seconds IS NOT NULL AND ($operation = 'all' OR operation = $operation)
    GROUP BY ALL ORDER BY ALL
"""


@st.cache_data(max_entries=32, show_spinner=False)
def percentiles(sealed: Sealed, measure: str) -> pl.DataFrame:
    """p50, p90, p95 and p99 of `measure` by operation and lane, infinite where they fall on a timeout."""
    sql = _PERCENTILES.format(group="operation", timed=_timed(measure))
    return frame_of(sealed, sql, {"timeouts": _TIMEOUTS, "operation": ALL})


_LENGTHS = """CASE WHEN text_chars <= 50 THEN 'to 50' WHEN text_chars <= 100 THEN '51 to 100'
    WHEN text_chars <= 200 THEN '101 to 200' WHEN text_chars <= 400 THEN '201 to 400' ELSE 'over 400' END AS length,
    min(text_chars) AS shortest_chars"""


@st.cache_data(max_entries=32, show_spinner=False)
def percentiles_by_length(sealed: Sealed, measure: str, operation: str) -> pl.DataFrame:
    """The same percentiles by how long the text was, shortest first."""
    sql = _PERCENTILES.format(group=_LENGTHS, timed=_timed(measure))
    return frame_of(sealed, sql, {"timeouts": _TIMEOUTS, "operation": operation}).sort("shortest_chars", "lane")


_OUTCOMES = """
    SELECT operation, lane, outcome, provider, provider_code, count(*) AS legs, sum(attempts) AS attempts
    FROM exchanges GROUP BY ALL ORDER BY legs DESC, operation, lane, outcome, provider_code
"""


@st.cache_data(max_entries=16, show_spinner=False)
def outcomes(sealed: Sealed) -> pl.DataFrame:
    """How many legs ended in which outcome, by operation, lane, provider and the provider's own code."""
    return frame_of(sealed, _OUTCOMES)


_FAILED = """
    SELECT e.lane, e.operation, e.outcome, e.provider_code, e.detail, e.attempts, e.service_s, k.language, k.text,
      e.capture_id, e.repetition, e.provider, e.model, e.region, e.provider_request_id, e.sent_at
    FROM exchanges AS e JOIN captures AS k USING (capture_id)
    WHERE e.outcome <> 'ok'
      AND ($operation = 'all' OR e.operation = $operation)
      AND ($lane = 'all' OR e.lane = $lane)
      AND ($outcome = 'all' OR e.outcome = $outcome)
    ORDER BY e.sent_at, e.capture_id, e.lane LIMIT $most
"""


@st.cache_data(max_entries=32, show_spinner=False)
def failed_requests(sealed: Sealed, *, operation: str, lane: str, outcome: str, most: int = 500) -> pl.DataFrame:
    """The legs that failed, oldest first, `most` of them."""
    filters = {"operation": operation, "lane": lane, "outcome": outcome, "most": most}
    return frame_of(sealed, _FAILED, filters)


@st.cache_data(max_entries=16, show_spinner=False)
def languages(sealed: Sealed) -> list[str]:
    """The languages of the captures, in alphabetical order."""
    frame = frame_of(sealed, "SELECT DISTINCT language FROM captures WHERE language IS NOT NULL ORDER BY ALL")
    return frame["language"].to_list()
