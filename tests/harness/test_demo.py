import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.runs import Run, list_runs
from tests.killed import kill_when
from tests.standins import cutover


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}
    return {**clean, "CUTOVER_HOME": str(tmp_path)}


def test_a_small_demo_runs_the_whole_job_and_says_how_much_more_it_needs(environment: dict[str, str]) -> None:
    result = cutover(["demo", "--limit", "20"], environment)

    assert result.returncode == 3, result.stderr
    assert "INCONCLUSIVE" in result.stdout.upper()
    assert "more" in result.stdout
    (run,) = list_runs(Path(environment["CUTOVER_HOME"]))
    ledger = Ledger.of(read_journal(run.journal).records)
    assert ledger.plan["kind"] == "demo"
    assert ledger.missing == []
    again = cutover(["verdict", "--json"], environment)
    assert (again.returncode, json.loads(again.stdout)["decision"]) == (3, "inconclusive")


def test_a_scenario_that_the_stand_ins_do_not_know_is_one_sentence(environment: dict[str, str]) -> None:
    result = cutover(["demo", "--scenario", "sunny"], environment)

    assert result.returncode == 2
    known = "healthy, slow, flaky, degraded, costly"
    assert result.stderr.splitlines() == [f"cutover: no scenario 'sunny'; the stand-ins know {known}"]


def test_without_the_espeak_wheel_the_remedy_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "espeakng_loader.py").write_text("raise ImportError('hidden by the test')")

    result = cutover(["demo", "--limit", "5"], {**environment, "PYTHONPATH": str(hiding)})

    assert result.returncode == 2
    assert "espeakng-loader" in result.stderr
    assert "Traceback" not in result.stderr


def _results(run: Run) -> int:
    return run.journal.read_bytes().count(b'"type":"result"')


def test_a_killed_demo_takes_everything_with_it_and_the_next_one_pays_for_nothing_twice(
    environment: dict[str, str],
) -> None:
    home = Path(environment["CUTOVER_HOME"])
    command = [sys.executable, "-m", "harness.cli", "demo", "--limit", "90", "--seed", "5"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kill_when(process, lambda: sum(_results(run) for run in list_runs(home)) >= 30)

    result = cutover(["demo", "--limit", "90", "--seed", "5"], environment)

    assert result.returncode in (3, 4), result.stderr  # 4: what was lost is too much of so small a run
    (run,) = list_runs(home)
    ledger = Ledger.of(read_journal(run.journal).records)
    calls = [(call["leg"], call["purpose"], call["attempt"]) for call in ledger.calls.values()]
    assert ledger.missing == []
    assert len(calls) == len(set(calls))
