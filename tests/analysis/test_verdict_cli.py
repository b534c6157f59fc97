import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analysis.verdict_cli import verdict
from harness.config import PROJECT
from harness.errors import ConfigError, ErrorKind, UsageError
from harness.exchanges import Exchange, Failure, Lane
from harness.store.journal import read_journal
from harness.store.runs import Run
from tests.replayed import a_live_run, a_replayed_run

STATS = "schema = 1\n[stats]\nmin_pairs = 30\nmin_days = 1\n"
ERRORS = '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 25.0\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose settings point at small thresholds."""
    thresholds = tmp_path / "thresholds.toml"
    thresholds.write_text(STATS + ERRORS)
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    monkeypatch.setenv("CUTOVER_THRESHOLDS", str(thresholds))
    return tmp_path


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Forty fine pairs, replayed once for all tests."""
    return a_replayed_run(tmp_path_factory.mktemp("sealed"))


@pytest.fixture
def run(home: Path, sealed: Run) -> Run:
    """A copy of them under `home`."""
    return Run(Path(shutil.copytree(sealed.path, home / "runs" / sealed.id)))


def broken(number: int, lane: Lane, exchange: Exchange) -> Exchange:
    if lane is Lane.CONTROL or number % 5:
        return exchange
    return replace(exchange, result=Failure(kind=ErrorKind.OVERLOADED, code="503", detail="overloaded"))


def run_verdict(*arguments: str) -> Result:
    return CliRunner().invoke(verdict, arguments, catch_exceptions=False)


def test_a_fine_run_goes_with_exit_status_0_and_the_next_command(run: Run) -> None:
    result = run_verdict()

    assert result.exit_code == 0
    assert result.stdout.startswith("GO  all 1 blocking gate passed on 40 pairs")
    assert f"run: {run.id}" in result.stdout
    assert result.stderr.startswith("next: cutover dashboard")


def test_a_bad_run_is_exit_status_1(home: Path) -> None:
    a_replayed_run(home, captures=200, answer=lambda number, lane, exchange: broken(0, lane, exchange))

    result = run_verdict("latest")

    assert result.exit_code == 1
    assert result.stdout.startswith("NO-GO  generate: errors fails")


def test_too_few_pairs_are_exit_status_3_with_how_many_more(home: Path) -> None:
    a_replayed_run(home, captures=10)

    result = run_verdict()

    assert result.exit_code == 3
    assert "needs 20 more pairs" in result.stdout


def test_an_interrupted_run_is_exit_status_4(home: Path) -> None:
    a_replayed_run(home, lost=2)

    result = run_verdict()

    assert result.exit_code == 4
    assert "90 legs planned, 88 have an outcome" in result.stdout


def test_json_is_the_same_to_the_byte_when_asked_again(home: Path) -> None:
    a_replayed_run(home, captures=60, answer=broken)

    first, again = run_verdict("--json"), run_verdict("--json")

    assert first.stdout_bytes == again.stdout_bytes
    assert json.loads(first.stdout)["exit_status"] == first.exit_code == 3


def test_a_run_is_judged_again_by_the_file_that_judged_it(run: Run, home: Path, tmp_path: Path) -> None:
    strict = tmp_path / "strict.toml"
    strict.write_text(STATS + ERRORS.replace("25.0", "1.0"))

    chosen = run_verdict("--thresholds", str(strict))
    again = run_verdict()
    plain = run_verdict("--thresholds", str(home / "thresholds.toml"))

    assert [chosen.exit_code, again.exit_code, plain.exit_code] == [3, 3, 0]
    assert f"thresholds: {strict}" in again.stdout
    assert len(read_journal(run.judgement).records) == 2


@pytest.mark.usefixtures("run")
def test_a_file_inside_the_project_is_recorded_relative_to_it() -> None:
    result = run_verdict("--json", "--thresholds", str(PROJECT / "data" / "demo" / "thresholds.toml"))

    assert json.loads(result.stdout)["thresholds"]["name"] == "data/demo/thresholds.toml"


def test_what_latest_passed_over_is_said(run: Run, home: Path) -> None:
    live = a_live_run(home)

    result = run_verdict()

    assert f"run: {run.id}" in result.stdout
    assert f"latest is {run.id}; {live.id} is newer and live" in result.stderr


def test_several_runs_are_judged_together(home: Path) -> None:
    first = a_replayed_run(home, run_id="20261123T120000Z-a", captures=20)
    second = a_replayed_run(home, run_id="20261124T120000Z-b", captures=20, day=1)

    result = run_verdict(second.id, first.id, second.id, "--json")

    view = json.loads(result.stdout)
    assert [run["run_id"] for run in view["runs"]] == [first.id, second.id]
    assert (result.exit_code, view["operations"][0]["sample"]["pairs"]) == (0, 40)


@pytest.mark.usefixtures("run")
def test_markdown_begins_with_the_verdict() -> None:
    assert run_verdict("--markdown").stdout.splitlines()[0].startswith("**GO** ")


@pytest.mark.usefixtures("run")
def test_json_and_markdown_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="choose one"):
        run_verdict("--json", "--markdown")


@pytest.mark.usefixtures("run")
def test_a_run_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no such run"):
        run_verdict("20200101T000000Z-none")


def test_a_misspelt_thresholds_file_changes_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(STATS + ERRORS.replace("margin_pp", "margin"))

    with pytest.raises(ConfigError, match=r"bad\.toml: \[gate\.errors\] margin is not a key here"):
        run_verdict("--thresholds", str(tmp_path / "bad.toml"))

    assert not run.judgement.exists()


def test_the_command_says_a_mistake_in_one_sentence(home: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", "verdict", "--thresholds", str(home / "none.toml")]
    a_replayed_run(home, captures=1)

    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=os.environ, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"cutover: {home / 'none.toml'}: cannot be read")
    assert len(done.stderr.splitlines()) == 1


class TestReports:
    def test_every_report_is_written_in_one_go(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {name: tmp_path / f"verdict.{name}" for name in ("html", "junit", "openmetrics", "record")}
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

        result = run_verdict(*(part for name, path in files.items() for part in (f"--{name}", str(path))))

        assert result.exit_code == 0
        heads = {name: path.read_text().splitlines()[0] for name, path in files.items()}
        assert heads == {
            "html": "<!doctype html>",
            "junit": '<?xml version="1.0" encoding="utf-8"?>',
            "openmetrics": "# TYPE cutover_verdict stateset",
            "record": "{",
        }
        assert (tmp_path / "summary.md").read_text().startswith("**GO** ")
        assert run.judgement.exists()

    @pytest.mark.usefixtures("run")
    def test_a_record_is_verified_until_a_number_of_it_is_changed(self, tmp_path: Path) -> None:
        record = tmp_path / "record.json"
        run_verdict("--record", str(record))

        same = run_verdict("--verify", str(record))
        record.write_text(record.read_text().replace('"decision": "go"', '"decision": "no-go"'))
        other = run_verdict("--verify", str(record))

        assert (same.exit_code, same.stdout) == (0, "not signed\nevery number came out the same\n")
        assert other.exit_code == 4
        assert 'differs: verdict.decision: recorded "no-go", found "go"' in other.stdout

    @pytest.mark.usefixtures("run")
    def test_a_key_without_a_record_is_a_mistake(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="name its file with --record"):
            run_verdict("--sign-key", str(tmp_path / "key.pem"))


def test_a_comment_is_written_to_a_file_for_whoever_posts_it(run: Run, tmp_path: Path) -> None:
    result = run_verdict("--comment-file", str(tmp_path / "comment.md"))

    text = (tmp_path / "comment.md").read_text()
    assert result.exit_code == 0
    assert text.startswith("**GO** all 1 blocking gate passed")
    assert text.endswith("<!-- cutover verdict -->\n")


def test_a_comment_without_a_token_is_told_how_to_get_one(run: Run) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_NIGHTLY__GITHUB_TOKEN is not set"):
        run_verdict("--comment", "our-team/speech#7")
