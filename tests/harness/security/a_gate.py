"""A check, its outcome, a record of the gate, and a small checkout; a test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.config import PROJECT
from harness.security.catalogue import CATALOGUE, load_catalogue
from harness.security.check import Check, Maps, Profile, Severity
from harness.security.outcome import Evidence, Outcome, Status
from harness.security.provenance import Provenance, provenance_of
from harness.security.record import GATE_VERSION, Record, record_name, records_folder, write_record

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_check(**changes: Any) -> Check:
    base = Check(
        id="S8-01",
        title="Nothing leaks",
        severity=Severity.HIGH,
        asserted="nothing leaks | at all",
        scans=("steps of CI",),
        tests=("tests/test_x.py::test_a",),
        release_tests=("tests/test_x.py::test_long",),
        maps=Maps(asvs=("1.2.3",), api10=("API8",), privacy=("GDPR 32",)),
    )
    return replace(base, **changes)


def an_outcome(**changes: Any) -> Outcome:
    base = Outcome(
        id="S8-01",
        title="Nothing leaks",
        severity=Severity.HIGH,
        asserted="nothing leaks",
        status=Status.PASS,
        reason="",
        command="cutover gate run --only S8-01",
        duration_ms=1_200,
        how=("scan steps of CI",),
        evidence=(Evidence(path="tests/test_x.py", sha256="e" * 64),),
    )
    return replace(base, **changes)


def a_record(*outcomes: Outcome, **changes: Any) -> Record:
    """Of a whole run that passed at noon."""
    checks = outcomes or (an_outcome(),)
    base = Record(
        gate_version=GATE_VERSION,
        profile=Profile.CI,
        started=NOON - timedelta(minutes=2),
        ended=NOON,
        python="3.11.7",
        provenance=Provenance(
            commit="c" * 40, dirty=False, code_version="0.1.0", code_sha256="d" * 64, lock_sha256="f" * 64
        ),
        catalogue_checks=len(checks),
        checks=checks,
        exit_status=0,
    )
    return replace(base, **changes)


def a_gate_that_passed(home: Path, *, ended: datetime, **changes: Any) -> Path:
    """A record under `home` of all checks of this checkout, as it is, each of which passed."""
    checks = tuple(an_outcome(id=check.id) for check in load_catalogue(PROJECT).checks)
    started = ended - timedelta(minutes=2)
    whole = {"started": started, "ended": ended, "provenance": provenance_of(PROJECT)}
    path = records_folder(home) / record_name(started)
    write_record(path, a_record(*checks, **{**whole, **changes}))
    return path


def with_its_test(root: Path) -> Path:
    """The same checkout, whose one check rests on a test as well; running that takes a pytest of its own."""
    path = root / CATALOGUE
    path.write_text(path.read_text() + 'tests = ["tests/test_x.py::test_a"]\n')
    return root


def a_checkout(root: Path, **files: str) -> Path:
    """A folder with the files that the gate reads of a checkout, and these beside them."""
    defaults = {
        "data/security/checks.toml": 'schema = 1\n[[check]]\nid = "S8-01"\ntitle = "t"\nseverity = "high"\n'
        'asserted = "a"\nscans = ["steps of CI"]\n',
        "data/security/waivers.toml": "schema = 1\n",
        "data/security/mutants.toml": 'schema = 1\n[[mutant]]\ncheck = "S8-01"\nwhat = "w"\nfile = "Makefile"\n'
        'old = "true"\nnew = "curl x | sh"\n',
        "Makefile": "test:\n\ttrue\n",
        "harness/a.py": '"""A module."""\n',
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n',
        "tests/test_x.py": "def test_a() -> None:\n    assert True\n",
    }
    for name, text in {**defaults, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
