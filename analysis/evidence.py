"""What a judge looks at: pairs, noise pairs and the count of all outcomes, read from sealed runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import duckdb
import polars as pl

from analysis.gates import DISTANCES
from harness.errors import StoreError
from harness.exchanges import Lane
from harness.store.balance import HELD_BACK_S
from harness.store.database import open_db
from harness.store.runs import Run

__all__ = ["AT_ONCE", "CLOCK_TOLERANCE_S", "Evidence", "RunFacts", "read_evidence"]

AT_ONCE: Final = "AtOnce()"  # in column `pacing`: no schedule, so that our own limits decided when a capture was due

CLOCK_TOLERANCE_S: Final = 60  # beyond, a time stamp is wrong rather than rounded

_CAPTURE_COLUMNS: Final = (
    "run_id",
    "capture_id",
    "repetition",
    "operation",
    "cluster",
    "voice_id",
    "billed_chars",
    "language",
    "text_chars",
    "segment",
)
_WORDS: Final = r"^(run_id|operation|cluster|voice_id|language|segment|candidate_voice|.*_outcome)$"
_SIDE_COLUMNS: Final = ("outcome", "attempts", "audio_outcome", "sent_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run, as far as a judge must know it."""

    run_id: str
    kind: str
    started_at: datetime
    ended_at: datetime
    status: str  # complete or interrupted
    planned: int  # legs
    rows: int  # legs with an outcome
    models: frozenset[str]  # "candidate generate qwen/qwen3-tts-flash@ap-southeast-1", …
    extractors: frozenset[str]  # versions that measured its audio
    strays: int = 0  # legs sent before the run began or after it ended, or that took less than no time
    held_back_share: float = 0.0  # of timed legs, those that our own quota, budget or concurrency made wait
    pacing: str | None = None  # when captures were due; None: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was replayed, one row a pair.

    `pairs` has the columns of the view of that name that the gates need, prefixed `control_` and `candidate_`, with
    `*_cost_microusd` in place of `*_cost_usd` so that sums are exact; `noise_pairs` likewise with `repeat_`. A distance
    from control's audio stands under the other side's prefix, without its sign. `candidate_voice` is what the candidate
    calls the voice that spoke: another name for each enrolment, null where a voice is made anew to be measured.
    `ledger` counts every outcome: run_id, lane, operation, outcome, exchanges.
    """

    runs: tuple[RunFacts, ...]  # oldest first
    pairs: pl.DataFrame
    noise_pairs: pl.DataFrame
    ledger: pl.DataFrame


# Joined only where a gate asks for a distance: runs of the first schema have no such table.
_DISTANCES: Final = """
    LEFT JOIN pair_features AS d
      ON d.run_id = v.run_id AND d.capture_id = v.capture_id AND d.repetition = v.repetition
     AND d.lane = '{lane}' AND d.outcome = 'ok'
"""
_RUN: Final = "SELECT * FROM run"  # older runs lack the newer columns
_VOICE: Final = """
    CASE WHEN v.operation = 'generate' THEN json_extract_string(v.candidate_metadata, '$.voice_id') END
    AS candidate_voice
"""
_LEDGER = """
    SELECT run_id, lane, operation, outcome, count(*) AS exchanges
    FROM exchanges GROUP BY ALL ORDER BY ALL
"""
_MODELS = """
    SELECT DISTINCT lane || ' ' || operation || ' ' || provider || '/' || model || '@' || coalesce(region, '')
    FROM exchanges WHERE model IS NOT NULL
"""
_EXTRACTORS = "SELECT DISTINCT extractor_version FROM features WHERE extractor_version IS NOT NULL"

# A leg is stamped by the wall clock and timed by the monotonic one: a clock that was set meanwhile shows here.
_STRAYS: Final = """
    SELECT count(*) FROM exchanges, run
    WHERE sent_at < started_at - to_seconds($tolerance_s)
       OR sent_at > ended_at + to_seconds($tolerance_s)
       OR least(queued_s, service_s, from_due_s) < 0
"""
_HELD_BACK: Final = "SELECT avg(CAST(queued_s > ? AS INTEGER)) FROM exchanges WHERE queued_s IS NOT NULL"


def read_evidence(runs: Sequence[Run], features: Collection[str]) -> Evidence:
    """The evidence of one or several sealed runs together.

    Args:
        runs: In any order.
        features: Timings and audio features that the gates need of each side.

    Raises:
        StoreError: A run is not sealed, or its database is damaged.
    """
    facts, pairs, noise, ledgers = [], [], [], []
    for run in runs:
        try:
            with open_db(run.database) as database:
                facts.append(_facts(database))
                pairs.append(_pairs(database, "pairs", (Lane.CONTROL, Lane.CANDIDATE), features))
                noise.append(_pairs(database, "noise_pairs", (Lane.CONTROL, Lane.REPEAT), features))
                ledgers.append(database.sql(_LEDGER).pl())
        except duckdb.Error as error:
            problem = str(error).splitlines()[0]
            raise StoreError(
                f"{run.database}: cannot be judged ({problem}); `cutover runs seal {run.id}` rebuilds it"
            ) from None
    return Evidence(
        runs=tuple(sorted(facts, key=lambda run: (run.started_at, run.run_id))),
        pairs=pl.concat(pairs),
        noise_pairs=pl.concat(noise),
        ledger=pl.concat(ledgers).sort("run_id", "lane", "operation", "outcome"),
    )


def _pairs(
    database: duckdb.DuckDBPyConnection, view: str, sides: tuple[Lane, Lane], features: Collection[str]
) -> pl.DataFrame:
    """The columns a judge needs of a view; names come from the schema and checked thresholds alone."""
    columns = [f"v.{column}" for column in _CAPTURE_COLUMNS]
    distances = sorted(set(features) & set(DISTANCES))
    for side in sides:
        needed = [*_SIDE_COLUMNS, *sorted({"service_s", *features} - set(distances))]
        columns += [f"v.{side}_{column}" for column in needed]
        columns.append(f"CAST(round(v.{side}_cost_usd * 1000000) AS BIGINT) AS {side}_cost_microusd")
    columns += [_VOICE] if Lane.CANDIDATE in sides else []
    columns += [f"abs(d.{distance}) AS {sides[1]}_{distance}" for distance in distances]
    join = _DISTANCES.format(lane=sides[1].value) if distances else ""
    query = f"SELECT {', '.join(columns)} FROM {view} AS v{join}"  # noqa: S608 - no value of a stranger is in it
    pairs: pl.DataFrame = database.sql(query).pl()
    return pairs.with_columns(
        # Few words a million times over: every gate compares or groups by them, which by number is quicker and smaller.
        pl.col(_WORDS).cast(pl.Categorical),
        *(pl.col(f"{side}_sent_at").dt.replace_time_zone("UTC") for side in sides),
    )


def _facts(database: duckdb.DuckDBPyConnection) -> RunFacts:
    (run,) = database.sql(_RUN).pl().iter_rows(named=True)
    (rows,) = database.execute("SELECT count(*) FROM exchanges").fetchone() or (0,)
    (strays,) = database.execute(_STRAYS, {"tolerance_s": CLOCK_TOLERANCE_S}).fetchone() or (0,)
    (held_back,) = database.execute(_HELD_BACK, [HELD_BACK_S]).fetchone() or (None,)
    return RunFacts(
        run_id=run["run_id"],
        kind=run["kind"],
        started_at=run["started_at"].replace(tzinfo=UTC),  # every time in a run is UTC
        ended_at=(run["ended_at"] or run["started_at"]).replace(tzinfo=UTC),
        status=run["status"],
        planned=run["planned"],
        rows=rows,
        models=frozenset(row[0] for row in database.execute(_MODELS).fetchall()),
        extractors=frozenset(row[0] for row in database.execute(_EXTRACTORS).fetchall()),
        strays=strays,
        held_back_share=held_back or 0.0,
        pacing=run.get("pacing"),
    )
