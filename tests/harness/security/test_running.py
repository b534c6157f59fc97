import json
from pathlib import Path
from types import MappingProxyType

import pytest

from harness.clock import FakeClock
from harness.errors import UsageError
from harness.security import running
from harness.security.check import Severity
from harness.security.finding import Finding
from harness.security.outcome import GateBroken, Status
from harness.security.record import Record
from harness.security.running import Run, run_gate
from tests.harness.security.a_gate import NOON, a_checkout, with_its_test


def gate(root: Path, **options: object) -> Record:
    run = Run(root=root, folder=root.with_name("evidence"), workers="0", **options)  # type: ignore[arg-type]
    return run_gate(run, clock=FakeClock(NOON))


def scanning(monkeypatch: pytest.MonkeyPatch, *found: Finding) -> None:
    monkeypatch.setattr(running, "SCANS", MappingProxyType({"steps of CI": lambda root, folder: found}))


FINDING = Finding(rule="S8-01", path="Makefile", line=2, message="runs what it fetched")


def test_a_check_passes_when_its_scans_find_nothing_and_its_tests_pass(tmp_path: Path) -> None:
    record = gate(with_its_test(a_checkout(tmp_path / "tree")))

    (outcome,) = record.checks
    assert (outcome.status, record.exit_status, record.is_whole) == (Status.PASS, 0, True)
    assert outcome.how == ("scan steps of CI", "tests/test_x.py::test_a")
    assert [each.path for each in outcome.evidence] == ["S8-01-steps of CI.json", "junit.xml", "tests/test_x.py"]
    assert record.started == NOON


def test_what_a_scan_finds_makes_it_fail_and_stands_beside_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanning(monkeypatch, FINDING, FINDING)

    record = gate(a_checkout(tmp_path / "tree"))

    assert record.exit_status == 1
    assert record.checks[0].reason == ("scan steps of CI: Makefile:2: runs what it fetched (S8-01) (2 in all)")
    assert len(json.loads((tmp_path / "evidence" / "S8-01-steps of CI.json").read_text())) == 2


def test_a_scan_that_could_not_look_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(root: Path, folder: Path) -> tuple[Finding, ...]:
        raise UsageError("the tool is not installed")

    monkeypatch.setattr(running, "SCANS", MappingProxyType({"steps of CI": blind}))

    record = gate(a_checkout(tmp_path / "tree"))

    assert record.exit_status == 2
    assert record.checks[0].status is Status.NOT_RUN
    assert record.checks[0].reason == "scan steps of CI: the tool is not installed"


def test_a_waiver_opens_the_gate_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning(monkeypatch, FINDING)
    row = '[[waiver]]\nid = "W-1"\ncheck = "S8-01"\nowner = "anna"\nreason = "r"\nexpires = 2026-11-23\n'
    root = a_checkout(tmp_path / "tree", **{"data/security/waivers.toml": f"schema = 1\n{row}"})

    held = gate(root)
    (root / "data/security/waivers.toml").write_text(f"schema = 1\n{row.replace('11-23', '11-22')}")
    over = gate(root)

    assert (held.checks[0].status, held.exit_status) == (Status.WAIVED, 0)
    assert (over.checks[0].status, over.exit_status) == (Status.FAIL, 1)


def test_a_scan_that_nobody_knows_breaks_the_gate(tmp_path: Path) -> None:
    root = a_checkout(tmp_path / "tree")
    checks = root / "data/security/checks.toml"
    checks.write_text(checks.read_text().replace("steps of CI", "steps of nobody"))

    with pytest.raises(GateBroken, match="check S8-01: there is no scan steps of nobody; valid are"):
        gate(root)


def test_code_that_changes_under_our_eyes_breaks_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def edits(root: Path, folder: Path) -> tuple[Finding, ...]:
        (root / "harness" / "a.py").write_text('"""Something else."""\n')
        return ()

    monkeypatch.setattr(running, "SCANS", MappingProxyType({"steps of CI": edits}))

    with pytest.raises(GateBroken, match="changed while it was looked at"):
        gate(a_checkout(tmp_path / "tree"))


def test_how_many_medium_failures_pass_is_the_catalogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning(monkeypatch, FINDING)
    root = a_checkout(tmp_path / "tree")
    checks = root / "data/security/checks.toml"
    medium = checks.read_text().replace('"high"', f'"{Severity.MEDIUM}"')

    found = []
    for allowed in (0, 1):
        checks.write_text(medium.replace("schema = 1", f"schema = 1\nmedium_failures = {allowed}"))
        found.append(gate(root).exit_status)

    assert found == [1, 0]
