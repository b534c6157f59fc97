import math
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dashboard import queries
from dashboard.queries import ALL, MEASURES, Sealed, sealed_runs
from harness.errors import StoreError
from harness.store.database import open_db
from tests.dashboard.a_run import a_run


def _run(home: Path, **changes: object) -> Sealed:
    a_run(home, **changes)
    return sealed_runs(home)[0]


def test_runs_come_newest_first_and_only_when_sealed(tmp_path: Path) -> None:
    for run_id in ("20261121T000000Z-a", "20261123T000000Z-c", "20261122T000000Z-b"):
        a_run(tmp_path, run_id=run_id, captures=1)
    (tmp_path / "runs" / "20261122T000000Z-b" / "run.duckdb").unlink()

    assert [sealed.run_id for sealed in sealed_runs(tmp_path)] == ["20261123T000000Z-c", "20261121T000000Z-a"]


def test_a_home_without_runs_has_none(tmp_path: Path) -> None:
    assert sealed_runs(tmp_path) == []


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    before = _run(tmp_path, captures=2)
    assert queries.facts(before)["captures"] == 6

    after = _run(tmp_path, captures=3)

    assert after != before
    assert queries.facts(after)["captures"] == 9


def test_what_was_read_once_is_remembered_without_the_file(tmp_path: Path) -> None:
    sealed = _run(tmp_path, captures=2)
    first = queries.lanes(sealed)

    Path(sealed.database).unlink()

    assert queries.lanes(sealed).equals(first)


_WRITE = """
import sys
from pathlib import Path
from harness.store.database import open_db
file = Path(sys.argv[1])
with open_db(file, read_only=False) as database:
    database.execute("UPDATE run SET planned = 7")
file.replace(file.with_name("moved.duckdb"))
"""


def test_reading_leaves_the_file_free_for_another_process_to_write_and_replace(tmp_path: Path) -> None:
    sealed = _run(tmp_path, captures=2)
    queries.facts(sealed)
    queries.lanes(sealed)
    file = Path(sealed.database)
    file.chmod(0o644)

    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", _WRITE, str(file)], check=True, env=environment, timeout=60)

    with open_db(file.with_name("moved.duckdb")) as database:
        assert database.execute("SELECT planned FROM run").fetchone() == (7,)


def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    sealed = _run(tmp_path, captures=1)
    file = Path(sealed.database)
    file.unlink()
    file.write_bytes(b"no database at all" * 1000)

    with pytest.raises(StoreError, match=r"run\.duckdb.*cutover runs seal"):
        queries.facts(sealed)


def test_a_file_without_a_table_is_named_with_its_remedy(tmp_path: Path) -> None:
    sealed = _run(tmp_path, captures=1)
    file = Path(sealed.database)
    file.chmod(0o644)
    with open_db(file, read_only=False) as database:
        database.execute("DROP TABLE gates")

    with pytest.raises(StoreError, match=f"gates.*cutover runs seal {sealed.run_id}"):
        queries.gates(sealed)


def test_a_file_of_a_newer_version_is_not_misread(tmp_path: Path) -> None:
    sealed = _alter(_run(tmp_path, captures=1), "UPDATE run SET schema_version = 999, code_version = '9.9'")

    with pytest.raises(StoreError, match=r"newer cutover \(9\.9\)"):
        queries.facts(sealed)


def test_the_overall_verdict_comes_first(sealed: Sealed) -> None:
    assert queries.verdicts(sealed)["operation"].to_list() == [None, "generate", "clone", "design"]


def test_every_leg_is_counted_once(sealed: Sealed) -> None:
    lanes = queries.lanes(sealed)
    facts = queries.facts(sealed)

    assert lanes["legs"].sum() == facts["answered"] == facts["planned"]
    assert (lanes["ok"] + lanes["failed"]).equals(lanes["legs"])
    assert lanes.filter(lane="candidate")["legs"].to_list() == [36, 36, 36]


def _alter(sealed: Sealed, sql: str) -> Sealed:
    file = Path(sealed.database)
    file.chmod(0o644)
    with open_db(file, read_only=False) as database:
        database.execute(sql)
    status = file.stat()
    return Sealed(sealed.run_id, sealed.database, status.st_mtime_ns, status.st_size)


_TEN = """UPDATE exchanges SET outcome = 'ok', service_s = position, cost_usd = 0.5;
    UPDATE exchanges SET service_s = 1 + CAST(right(capture_id, 4) AS INTEGER)"""


def _ten_answers(home: Path, *, timed_out: int = 0, failed: int = 0) -> Sealed:
    """Ten legs a lane and operation that took 1 to 10 seconds; the slowest of them timed out or failed."""
    sealed = _alter(_run(home, captures=10, failures=0.0, sounding_pairs=0), _TEN)
    kinds = {"timeout_total": range(10 - timed_out, 10), "overloaded": range(failed)}
    for kind, numbers in kinds.items():
        names = ", ".join(f"'{number:04d}'" for number in numbers) or "''"
        sealed = _alter(sealed, f"UPDATE exchanges SET outcome = '{kind}' WHERE right(capture_id, 4) IN ({names})")
    return sealed


def _of(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(operation="generate", lane="candidate")


def test_percentiles_are_those_of_the_answers(tmp_path: Path) -> None:
    row = _of(queries.percentiles(_ten_answers(tmp_path), "whole reply")).row(0, named=True)

    assert (row["n"], row["timed_out"], row["p50_s"], row["p90_s"], row["p99_s"]) == (10, 0, 5.0, 9.0, 10.0)


def test_a_timeout_counts_as_the_slowest_answer(tmp_path: Path) -> None:
    row = _of(queries.percentiles(_ten_answers(tmp_path, timed_out=2), "whole reply")).row(0, named=True)

    assert (row["n"], row["timed_out"], row["p50_s"], row["p90_s"]) == (10, 2, 5.0, math.inf)


def test_any_other_failure_has_no_latency(tmp_path: Path) -> None:
    row = _of(queries.percentiles(_ten_answers(tmp_path, failed=2), "whole reply")).row(0, named=True)

    assert (row["n"], row["timed_out"], row["p50_s"]) == (8, 0, 6.0)


def test_a_curve_rises_and_ends_where_timeouts_begin(tmp_path: Path) -> None:
    curve = _of(queries.curves(_ten_answers(tmp_path, timed_out=2), "whole reply"))

    assert curve["share"].max() == pytest.approx(0.8)
    assert curve["seconds"].is_sorted()
    assert curve["seconds"].max() == 8.0


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_a_curve(sealed: Sealed, measure: str) -> None:
    assert queries.curves(sealed, measure).height > 0


def test_texts_are_grouped_by_length_shortest_first(sealed: Sealed) -> None:
    lengths = queries.percentiles_by_length(sealed, "whole reply", ALL)["length"].unique(maintain_order=True)

    assert lengths.to_list() == ["to 50", "51 to 100", "101 to 200"]


def test_one_operation_can_be_looked_at_alone(sealed: Sealed) -> None:
    every = queries.percentiles_by_length(sealed, "whole reply", ALL)["n"].sum()
    alone = queries.percentiles_by_length(sealed, "whole reply", "clone")["n"].sum()

    assert 0 < alone < every


def test_a_cost_nobody_knows_is_counted_and_never_zero(tmp_path: Path) -> None:
    sealed = _alter(_ten_answers(tmp_path), "UPDATE exchanges SET cost_usd = NULL WHERE lane = 'candidate'")
    row = _of(queries.lanes(sealed)).row(0, named=True)

    assert (row["cost_usd"], row["usd_per_1k_chars"], row["usd_per_request"]) == (None, None, None)
    assert row["unknown_costs"] == 10


def test_cost_is_for_what_was_delivered(tmp_path: Path) -> None:
    row = _of(queries.lanes(_ten_answers(tmp_path, failed=2))).row(0, named=True)

    assert row["cost_usd"] == 5.0
    assert row["usd_per_request"] == 0.5


def test_outcomes_count_every_leg(sealed: Sealed) -> None:
    assert queries.outcomes(sealed)["legs"].sum() == queries.facts(sealed)["answered"]


def test_failed_requests_are_found_by_lane_and_outcome(tmp_path: Path) -> None:
    sealed = _ten_answers(tmp_path, timed_out=1, failed=2)
    found = queries.failed_requests(sealed, operation="clone", lane="control", outcome="overloaded")

    assert found["capture_id"].to_list() == ["clone-0000", "clone-0001"]
    assert queries.failed_requests(sealed, operation=ALL, lane=ALL, outcome=ALL, most=4).height == 4


def test_languages_are_those_of_the_captures(sealed: Sealed) -> None:
    assert queries.languages(sealed) == ["de", "en", "ja", "zh"]
