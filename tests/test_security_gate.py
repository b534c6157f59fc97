"""The gate over a whole checkout: no key in what it leaves, nothing called good that was not run, mutants that fit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.config import PROJECT
from harness.security.catalogue import load_catalogue
from harness.security.mutants import load_mutants, rule_on, scratch_copy
from harness.security.outcome import Status
from harness.security.record import write_record
from harness.security.report import markdown
from harness.security.running import Run, run_gate, run_parts
from tests.canaries import Canary, contents, sightings
from tests.harness.security.a_gate import a_checkout, with_its_test

KEY = Canary("the key", "sk-KaNaRy+7/gate=0123456789abcdef01")
CATALOGUE = load_catalogue(PROJECT)
MUTANTS = load_mutants(PROJECT, CATALOGUE)
# A test that tells all it knows when it fails, as pytest's own reports do.
TALKATIVE = "import os\ndef test_a() -> None:\n    print(dict(os.environ))\n    assert dict(os.environ) == {}\n"


def test_no_record_of_the_gate_holds_a_key_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CUTOVER_QWEN__API_KEY", "CUTOVER_MODAL__SECRET", "DASHSCOPE_API_KEY"):
        monkeypatch.setenv(variable, KEY.value)
    root = with_its_test(a_checkout(tmp_path / "tree", **{"tests/test_x.py": TALKATIVE}))
    left = tmp_path / "left"

    record = run_gate(Run(root=root, folder=left, workers="0"), clock=SystemClock())
    digest = write_record(left / "gate.json", record)
    (left / "gate.md").write_text(markdown(record, digest))

    assert record.checks[0].status is Status.FAIL
    assert {"junit.xml", "gate.json", "gate.md"} <= {path.name for path in left.iterdir()}
    assert sightings([KEY], contents(left)) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.check)
def test_every_mutant_still_fits_the_place_it_is_for(mutant: object) -> None:
    path = PROJECT / mutant.file  # type: ignore[attr-defined]  # it is a Mutant
    before = path.read_text() if path.is_file() else None

    after = mutant.applied_to(before)  # type: ignore[attr-defined]

    assert after != before
    if path.suffix == ".py":
        compile(after, path.name, "exec")


def test_every_check_has_a_mutant() -> None:
    assert [mutant.check for mutant in MUTANTS] == [check.id for check in CATALOGUE.checks]


@pytest.mark.parametrize("check_id", ["S8-01", "S8-21"])
def test_a_check_by_scans_passes_the_checkout_and_fails_its_mutant(tmp_path: Path, check_id: str) -> None:
    """The short form of `cutover gate selftest`: checks that need no test to be run."""
    with scratch_copy(PROJECT, tmp_path) as copy:
        run, checks = Run(root=copy, folder=tmp_path / "evidence", workers="0"), CATALOGUE.chosen((check_id,))
        (before,) = run_parts(run, checks, clock=SystemClock())
        (mutant,) = [each for each in MUTANTS if each.check == check_id]

        ruling = rule_on(mutant, before, run, CATALOGUE, clock=SystemClock())

        assert ruling.is_caught, f"{before.status} {before.reason} -> {ruling.after.status} {ruling.after.reason}"
        assert subprocess.check_output(["git", "-C", str(copy), "status", "--porcelain"]) == b""  # taken out again


def test_the_command_writes_a_record_that_show_finds_whole_and_an_edit_undoes(tmp_path: Path) -> None:
    out, md = tmp_path / "gate.json", tmp_path / "gate.md"
    with scratch_copy(PROJECT, tmp_path) as copy:
        environment = {**os.environ, "CUTOVER_HOME": str(tmp_path / "home"), "PYTHONPATH": str(copy)}

        def gate(*words: str) -> "subprocess.CompletedProcess[str]":
            command = [sys.executable, "-m", "harness.cli", "gate", *words]
            return subprocess.run(command, env=environment, cwd=copy, capture_output=True, text=True, timeout=120)

        ran = gate("run", "--only", "S8-21", "--out", str(out), "--md", str(md))
        shown = gate("show", str(out), "--json")
        out.write_text(out.read_text().replace('"pass"', '"fail"', 1))
        edited = gate("show", str(out))

    assert (ran.returncode, shown.returncode) == (0, 0), ran.stderr
    assert json.loads(shown.stdout)["checks"] == {"S8-21": "pass"}
    assert md.read_text().startswith("# Security gate\n")
    assert (edited.returncode, "digest does not match" in edited.stderr) == (4, True)
