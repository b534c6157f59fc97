import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.config import PROJECT
from harness.nightly.cli import nightly
from harness.nightly.night import Night, locked
from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from tests.standins import cutover, running_standins

CAPTURES = str(PROJECT / "data" / "demo" / "captures.jsonl.zst")
SMALL = ["--limit", "12", "--budget", "50"]
REPORTS = {"verdict.md", "verdict.json", "verdict.html", "verdict.xml", "verdict.prom", "decision.json", "night.json"}


@pytest.fixture(scope="module")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("standins")
    with running_standins(home, "--time-scale", "0.02") as environment:
        yield environment


@pytest.fixture
def environment(standins: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The stand-ins and a home of its own; evidence is enough when there is any."""
    rules = tmp_path / "thresholds.toml"
    shutil.copy(PROJECT / "data" / "demo" / "thresholds.toml", rules)
    return {**standins, "CUTOVER_HOME": str(tmp_path), "CUTOVER_THRESHOLDS": str(rules)}


def test_nights_run_from_picking_to_reports_and_add_up_even_when_one_is_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    first = cutover(["nightly", CAPTURES, *SMALL, "--night", "1"], environment)
    assert first.returncode == 3, first.stderr
    assert first.stdout.startswith("INCONCLUSIVE")
    assert {path.name for path in (tmp_path / "nights" / "1").iterdir()} >= REPORTS
    verified = cutover(["verdict", "--verify", str(tmp_path / "nights" / "1" / "decision.json")], environment)
    assert (verified.returncode, "every number came out the same" in verified.stdout) == (0, True)

    _kill_when_something_was_answered(["nightly", CAPTURES, *SMALL, "--night", "2"], environment, tmp_path)
    second = cutover(["nightly", CAPTURES, *SMALL], environment)

    assert second.returncode in (3, 4), second.stderr  # 4: what was lost is too much of so small a run
    assert "night 2" in second.stderr
    view = json.loads((tmp_path / "nights" / "2" / "verdict.json").read_text())
    assert [run["run_id"] for run in view["runs"]] == [run.id for run in list_runs(tmp_path)]
    calls = [
        (run.id, call["leg"], call["purpose"], call["attempt"])
        for run in list_runs(tmp_path)
        for call in Ledger.of(read_journal(run.journal).records).calls.values()
    ]
    assert len(calls) == len(set(calls)) > 20
    assert sum(operation["sample"]["repeated"] for operation in view["operations"]) <= 3  # another share every night
    again = cutover(["nightly", CAPTURES, "--night", "2"], environment)
    assert (again.returncode, "is over" in again.stderr) == (second.returncode, True)


def _kill_when_something_was_answered(arguments: list[str], environment: dict[str, str], home: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while sum(run.journal.read_bytes().count(b'"type":"result"') for run in list_runs(home)[1:]) < 3:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(nightly, arguments)


def test_two_never_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))

    with locked(tmp_path):
        result = run(CAPTURES)

    assert "another night is under way" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "nothing to choose from", id="no captures"),
        pytest.param(["--night", "../x"], "a name is one folder", id="a path for a name"),
    ],
)
def test_a_wrong_use_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))

    assert message in str(run(*arguments).exception)


def test_without_a_budget_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    Night(folder=tmp_path / "nights" / "tonight", picked=True).save()

    assert "how much may it spend?" in str(run("--night", "tonight").exception)
