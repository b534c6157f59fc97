from datetime import timedelta
from pathlib import Path

import pytest

from analysis.evidence import read_evidence
from analysis.judge import Judgement, judge
from analysis.records import judgement_record, keep, thresholds_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from harness.store.database import open_db
from harness.store.journal import read_journal
from harness.store.runs import Run
from harness.store.schema import TABLES
from tests.builders import NOON
from tests.replayed import a_replayed_run

RULES = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml", name="data/demo/thresholds.toml")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_replayed_run(tmp_path)


def judged(*runs: Run, by: Thresholds = RULES) -> Judgement:
    return judge(read_evidence(runs, by.features), by)


def test_a_record_has_the_columns_of_its_tables(run: Run) -> None:
    record = judgement_record(judged(run), judged_at=NOON)

    assert record["type"] == "judgement"
    for table in ("verdicts", "gates"):
        assert all(set(row) == set(TABLES[table].names) for row in record[table])
    assert [row["operation"] for row in record["verdicts"]] == [None, "generate"]


def test_a_kept_judgement_can_be_asked_for_in_sql(run: Run) -> None:
    assert keep(run, judged(run), judged_at=NOON)

    with open_db(run.database) as database:
        verdicts = database.execute("SELECT operation, decision, thresholds FROM verdicts ORDER BY ALL").fetchall()
        gates = database.execute(
            "SELECT outcome, blocking, limit_value, unit, counts->>'pairs', forecast FROM gates "
            "WHERE gate = 'error_rate'"
        ).fetchall()
    assert verdicts == [
        ("generate", "inconclusive", "data/demo/thresholds.toml"),
        (None, "inconclusive", "data/demo/thresholds.toml"),
    ]
    assert gates == [
        ("inconclusive", True, 5.0, "pp", "40", "needs 260 more pairs ($1.51, 7 nights at the present price and pace)")
    ]


def test_the_same_judgement_is_kept_once_whatever_the_time(run: Run) -> None:
    keep(run, judged(run), judged_at=NOON)
    sealed = run.database.stat().st_mtime_ns

    kept_again = keep(run, judged(run), judged_at=NOON + timedelta(days=1))

    assert not kept_again
    assert run.database.stat().st_mtime_ns == sealed
    assert len(read_journal(run.judgement).records) == 1


def test_another_judgement_is_kept_beside_and_the_last_one_counts(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('schema = 1\n[gate.errors]\nkind = "paired_binary"\nmargin_pp = 9.0\n')
    other = Thresholds.load(path)
    keep(run, judged(run), judged_at=NOON)

    assert keep(run, judged(run, by=other), judged_at=NOON)

    assert thresholds_of(run) == "other.toml"
    with open_db(run.database) as database:
        assert database.execute("SELECT count(*) FROM gates").fetchone() == (1,)


def test_runs_judged_together_are_booked_under_the_first(tmp_path: Path) -> None:
    older = a_replayed_run(tmp_path, run_id="20261123T120000Z-a", captures=4)
    newer = a_replayed_run(tmp_path, run_id="20261124T120000Z-b", captures=4, day=1)

    record = judgement_record(judged(newer, older), judged_at=NOON)

    assert {row["run_id"] for row in (*record["verdicts"], *record["gates"])} == {older.id}


def test_a_run_that_was_never_judged_names_no_thresholds(run: Run) -> None:
    assert thresholds_of(run) is None
