import os
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.store.runs import Run, find_run, list_runs


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("20261122T000000-aaa", "20261123T000000-bbb"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_text("a plan\n")
        (folder / "run.duckdb").touch()
    (tmp_path / "runs" / "20261124T000000-never-began").mkdir()
    (tmp_path / "runs" / "20261124T000000-never-began" / "journal.jsonl").touch()
    return tmp_path


def test_runs_are_listed_oldest_first_and_other_folders_left_out(home: Path) -> None:
    assert [run.id for run in list_runs(home)] == ["20261122T000000-aaa", "20261123T000000-bbb"]


@pytest.mark.parametrize("suffix", ["", "run.duckdb", "journal.jsonl"])
def test_a_run_is_found_by_its_id_or_by_a_path_into_it(home: Path, suffix: str) -> None:
    path = home / "runs" / "20261122T000000-aaa" / suffix

    assert (
        find_run(home, "20261122T000000-aaa")
        == find_run(Path("elsewhere"), str(path))
        == Run(path if not suffix else path.parent)
    )


def test_a_run_that_is_not_there_is_named_with_the_newest(home: Path) -> None:
    with pytest.raises(UsageError, match="20261121: no such run; the newest is 20261123T000000-bbb"):
        find_run(home, "20261121")


def test_a_database_older_than_what_it_is_made_from_is_not_sealed(home: Path) -> None:
    run = find_run(home, "20261123T000000-bbb")
    os.utime(run.journal, ns=(1_000, 1_000))
    os.utime(run.database, ns=(2_000, 2_000))
    sealed = run.is_sealed

    run.features.touch()

    assert (sealed, run.is_sealed) == (True, False)
    run.database.unlink()
    assert not run.is_sealed


@pytest.mark.parametrize("part", ["features", "pair_features", "judgement"])
def test_whatever_the_database_is_made_from_makes_it_old_and_readings_do_not(home: Path, part: str) -> None:
    run = find_run(home, "20261123T000000-bbb")
    os.utime(run.journal, ns=(1_000, 1_000))
    os.utime(run.database, ns=(2_000, 2_000))

    run.readings.touch()
    still_sealed = run.is_sealed
    getattr(run, part).touch()

    assert (still_sealed, run.is_sealed) == (True, False)
