from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.rollout.evidence import SecurityGate
from harness.rollout.gate_evidence import gate_evidence
from harness.rollout.rules import SecurityRules
from harness.security.outcome import Status
from harness.security.provenance import Provenance
from harness.security.record import write_record
from tests.harness.rollout.a_rollout import NOON
from tests.harness.security.a_gate import a_gate_that_passed, a_record, an_outcome

RUNNING = Provenance(
    commit="c" * 40, dirty=False, code_version="0.1.0", code_sha256="d" * 64, lock_sha256="f" * 64
)  # what a record of `a_record` is of


def told_by(tmp_path: Path, *, running: Provenance = RUNNING, **changes: Any) -> SecurityGate:
    write_record(tmp_path / "gate.json", a_record(**changes))
    found = gate_evidence(
        tmp_path, tmp_path / "gate.json", rules=SecurityRules(max_age_d=7.0), now=NOON, running=running
    )
    assert found is not None
    return found


def test_a_whole_fresh_record_of_what_runs_here_counts(tmp_path: Path) -> None:
    gate = told_by(tmp_path)

    assert (gate.shortfalls, gate.at, len(gate.digest or "")) == ((), NOON, 64)


FAILED = (an_outcome(status=Status.FAIL), an_outcome(id="S8-02"), an_outcome(id="S8-03", status=Status.NOT_RUN))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"catalogue_checks": 34}, "has 1 of 34 checks"),
        ({"exit_status": 1, "checks": FAILED, "catalogue_checks": 3}, "it did not pass: S8-01, S8-03"),
        ({"exit_status": 2}, "it did not pass"),
        ({"ended": NOON - timedelta(days=7, seconds=1)}, "not of the last 7 days: 2026-11-16 11:59 UTC"),
        ({"ended": NOON + timedelta(seconds=1)}, "not of the last 7 days"),
        ({"provenance": replace(RUNNING, code_sha256="0" * 64)}, "other code than runs here (000000000000)"),
        ({"provenance": replace(RUNNING, code_version="0.2.0")}, "other code than runs here"),
        ({"provenance": replace(RUNNING, lock_sha256="0" * 64)}, "another requirements.lock"),
        ({"provenance": replace(RUNNING, lock_sha256=None)}, "another requirements.lock"),
    ],
)
def test_anything_less_does_not_and_says_why(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    (shortfall,) = told_by(tmp_path, **changes).shortfalls

    assert told in shortfall


def test_without_the_lock_nobody_can_tell_what_was_checked(tmp_path: Path) -> None:
    (shortfall,) = told_by(tmp_path, running=replace(RUNNING, lock_sha256=None)).shortfalls

    assert "not beside what runs here" in shortfall


def test_another_commit_of_the_same_code_is_the_same_code(tmp_path: Path) -> None:
    assert told_by(tmp_path, running=replace(RUNNING, commit="e" * 40)).shortfalls == ()


def test_a_record_that_was_edited_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    write_record(path, a_record(*FAILED, exit_status=1))
    path.write_text(path.read_text().replace('"exit_status": 1', '"exit_status": 0'))

    gate = gate_evidence(tmp_path, path, rules=SecurityRules(), now=NOON, running=RUNNING)

    assert gate is not None
    assert gate.digest is None
    assert ["digest does not match" in shortfall for shortfall in gate.shortfalls] == [True]


def test_without_a_record_there_is_no_evidence(tmp_path: Path) -> None:
    assert gate_evidence(tmp_path, None, rules=SecurityRules(), now=NOON, running=RUNNING) is None


def test_the_newest_record_of_this_checkout_is_found_by_itself(tmp_path: Path) -> None:
    a_gate_that_passed(tmp_path, ended=NOON - timedelta(days=2), exit_status=1)
    newest = a_gate_that_passed(tmp_path, ended=NOON - timedelta(hours=2))

    gate = gate_evidence(tmp_path, None, rules=SecurityRules(), now=NOON)

    assert gate is not None
    assert (gate.record, gate.shortfalls) == (str(newest), ())
