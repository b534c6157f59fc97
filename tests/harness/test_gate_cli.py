import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import gate_cli
from harness.cli import main
from harness.security import running
from harness.security.record import newest_record, read_record, write_record
from tests.harness.security.a_gate import a_checkout, a_record, an_outcome, with_its_test


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout in the place of ours, and a home of its own."""
    monkeypatch.setattr(gate_cli, "PROJECT", a_checkout(tmp_path / "tree"))
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path / "home"))
    subprocess.run(["git", "init", "--quiet", str(gate_cli.PROJECT)], check=True)
    return tmp_path / "home"


def run(*words: object) -> object:
    with pytest.raises(SystemExit) as exit_:
        main(["gate", *map(str, words)])
    return exit_.value.code


def test_a_run_of_all_checks_is_kept_where_the_rollout_finds_it(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with_its_test(gate_cli.PROJECT)

    assert run("run", "--workers", "0", "--md", tmp_path / "gate.md") == 0

    newest = newest_record(home)
    assert newest is not None
    assert (newest.with_suffix("") / "junit.xml").is_file()
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "1 pass, 0 fail, 0 not run, 0 waived: the gate is open"
    assert said.err.splitlines()[-1] == f"Next: cutover gate show {newest}"
    assert (tmp_path / "gate.md").read_text().startswith("# Security gate")


def test_a_run_of_some_checks_is_kept_only_where_it_is_told_to(home: Path, tmp_path: Path) -> None:
    assert run("run", "--workers", "0", "--only", "S8-01") == 0
    assert newest_record(home) is None

    assert run("run", "--workers", "0", "--only", "S8-01", "--out", tmp_path / "gate.json") == 0

    assert read_record(tmp_path / "gate.json").record.checks[0].id == "S8-01"


def test_a_check_that_fails_shuts_the_gate_and_machines_read_which(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (gate_cli.PROJECT / "Makefile").write_text("test:\n\tcurl x | sh\n")

    assert run("run", "--workers", "0", "--json") == 1

    told = json.loads(capsys.readouterr().out)
    assert (told["exit_status"], told["checks"], told["summary"]["fail"]) == (1, {"S8-01": "fail"}, 1)


def test_a_test_that_is_gone_shuts_the_gate_as_well(home: Path) -> None:
    (with_its_test(gate_cli.PROJECT) / "tests" / "test_x.py").write_text("def test_b(): pass\n")

    assert run("run", "--workers", "0") == 2


def test_a_check_that_does_not_exist_is_wrong_use(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--only", "S8-99") == 2
    assert capsys.readouterr().err.startswith("cutover: --only S8-99: no such check")


def test_a_gate_that_breaks_is_one_sentence_and_a_status_of_its_own(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> Any:
        raise RuntimeError("our own bug")

    with_its_test(gate_cli.PROJECT)
    monkeypatch.setattr(running, "run_tests", breaks)

    assert run("run", "--workers", "0") == 3
    assert "cutover: the gate itself broke (RuntimeError: our own bug)" in capsys.readouterr().err
    assert newest_record(home) is None


@pytest.mark.parametrize("status", [0, 1, 2])
def test_showing_a_record_ends_as_its_run_did(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    write_record(tmp_path / "gate.json", a_record(an_outcome(title="Nobody listens"), exit_status=status))

    assert run("show", tmp_path / "gate.json") == status
    assert "Nobody listens" in capsys.readouterr().out
    assert run("show", tmp_path / "gate.json", "--md") == status
    assert "| S8-01 | high | PASS |" in capsys.readouterr().out


def test_a_self_test_tells_what_was_caught_and_fails_when_something_was_not(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run("selftest", "--workers", "0", "--json") == 0
    assert json.loads(capsys.readouterr().out)["mutants"][0]["caught"] is True

    mutants = gate_cli.PROJECT / "data/security/mutants.toml"
    mutants.write_text(mutants.read_text().replace("curl x | sh", "echo harmless"))

    assert run("selftest", "--workers", "0") == 1
    said = capsys.readouterr().err
    assert "S8-01 NOT CAUGHT (pass -> pass): w" in said
    assert "0 of 1 mutants were caught" in said


def test_a_check_that_fails_without_its_mutant_says_why(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (with_its_test(gate_cli.PROJECT) / "tests" / "test_x.py").write_text("def test_a(): assert 1 == 2, 'a flake'\n")

    assert run("selftest", "--workers", "0") == 1
    said = capsys.readouterr().err
    assert "S8-01 fail without any mutant, so that nothing can be said of it: " in said
    assert "a flake" in said
    assert "S8-01 NOT CAUGHT (fail -> fail)" in said


def test_a_mutant_that_does_not_fit_breaks_the_self_test(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mutants = gate_cli.PROJECT / "data/security/mutants.toml"
    mutants.write_text(mutants.read_text().replace('"true"', '"nowhere"'))

    assert run("selftest", "--workers", "0") == 3
    assert "does not fit Makefile any more" in capsys.readouterr().err
