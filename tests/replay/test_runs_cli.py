import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.errors import UsageError
from harness.store.runs import Run
from replay.runs_cli import runs
from tests.harness.store.test_seal import run  # noqa: F401 - a fixture: a finished run under tmp_path/runs


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))


def test_a_run_is_listed_with_its_state(run: Run) -> None:  # noqa: F811
    before = json.loads(CliRunner().invoke(runs, ["list", "--json"]).stdout)
    CliRunner().invoke(runs, ["seal"], catch_exceptions=False)
    after = json.loads(CliRunner().invoke(runs, ["list", "--json"]).stdout)

    assert [row["status"] for row in before] == ["not sealed"]
    assert after == [{"run": run.id, "kind": "replay", "status": "complete", "planned": 2, "decision": None}]


def test_people_get_one_line_a_run(run: Run) -> None:  # noqa: F811
    CliRunner().invoke(runs, ["seal", run.id], catch_exceptions=False)

    assert CliRunner().invoke(runs, ["list"]).stdout == f"{run.id}  replay   complete     not judged\n"


def test_without_runs_the_next_command_is_named() -> None:
    result = CliRunner().invoke(runs, ["list"])

    assert (result.stdout, result.stderr) == ("", "No run yet. Next: cutover demo\n")


def test_sealing_builds_the_database_and_names_it(run: Run) -> None:  # noqa: F811
    result = CliRunner().invoke(runs, ["seal", "latest"], catch_exceptions=False)

    assert result.stdout == f"{run.database}\n"
    assert "2 of 2 legs" in result.stderr


def test_a_run_that_is_not_there_is_our_one_sentence(run: Run) -> None:  # noqa: F811
    result = CliRunner().invoke(runs, ["seal", "nonsense"])

    assert isinstance(result.exception, UsageError)
