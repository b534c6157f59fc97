from pathlib import Path

import pytest

from dashboard.queries import MEASURES
from harness.store.database import open_db
from tests.dashboard.a_run import a_run
from tests.dashboard.conftest import Visit, words


def test_every_operation_and_lane_has_its_percentiles(visit: Visit) -> None:
    table = visit("latency").dataframe[0].value

    assert table["operation"].unique().tolist() == ["generate", "clone", "design"]
    assert table["lane"].tolist()[:3] == ["Control (legacy)", "Candidate (Qwen)", "Repeat (legacy again)"]


def test_a_slow_candidate_shows_against_control(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=30, slowdown=20.0, failures=0.0)

    table = visit("latency", home=tmp_path).dataframe[0].value
    candidate = table[table["lane"] == "Candidate (Qwen)"].iloc[0]

    assert float(candidate["p95 against control"].removesuffix("x")) > 5


def test_p99_is_not_told_from_a_few_answers(visit: Visit) -> None:
    assert set(visit("latency").dataframe[0].value["p99"]) == {"too few"}


def test_a_percentile_that_falls_on_a_timeout_says_so(visit: Visit, tmp_path: Path) -> None:
    run = a_run(tmp_path, captures=4)
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        database.execute("UPDATE exchanges SET outcome = 'timeout_total' WHERE lane = 'candidate'")

    table = visit("latency", home=tmp_path).dataframe[0].value
    candidate = table[table["lane"] == "Candidate (Qwen)"]

    assert set(candidate["p95"]) == {"timed out"}
    assert set(candidate["p95 against control"]) == {"–"}


def test_one_operation_can_be_looked_at_alone(visit: Visit) -> None:
    app = visit("latency", operation="clone")

    assert app.dataframe[0].value["operation"].unique().tolist() == ["clone"]


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_can_be_shown(visit: Visit, measure: str) -> None:
    app = visit("latency", measure=measure)

    assert not app.exception
    assert len(app.dataframe[0].value) == 9


def test_a_measure_nobody_took_says_so(visit: Visit, tmp_path: Path) -> None:
    run = a_run(tmp_path, captures=2, failures=0.0)
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        database.execute("UPDATE exchanges SET first_byte_s = NULL")

    assert "No answer of this run has a time" in words(visit("latency", home=tmp_path, measure="first byte"))
