from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from harness.config import PROJECT
from harness.errors import ConfigError
from harness.security.catalogue import load_catalogue
from harness.security.outcome import Status
from harness.security.waivers import Waiver, load_waivers, waived
from tests.harness.security.a_gate import NOON, a_checkout, an_outcome

WAIVER = Waiver(id="W-1", check="S8-01", owner="anna", reason="it is being cleared", expires=date(2026, 11, 23))
ROW = '[[waiver]]\nid = "W-1"\ncheck = "S8-01"\nowner = "anna"\nreason = "r"\nexpires = 2026-12-24\n'


@pytest.mark.parametrize("status", [Status.FAIL, Status.NOT_RUN])
def test_a_waiver_holds_to_the_end_of_its_last_day_and_says_whose_it_is(status: Status) -> None:
    (outcome,) = waived([an_outcome(status=status)], [WAIVER], now=NOON)

    assert outcome.status is Status.WAIVED
    assert outcome.waiver == "W-1, anna until 2026-11-23: it is being cleared"


@pytest.mark.parametrize("status", [Status.FAIL, Status.NOT_RUN])
def test_a_waiver_that_is_over_makes_its_check_fail(status: Status) -> None:
    (outcome,) = waived([an_outcome(status=status, reason="x")], [WAIVER], now=NOON + timedelta(days=1))

    assert outcome.status is Status.FAIL
    assert outcome.reason == "its waiver W-1 was over on 2026-11-23; x"


def test_what_passes_needs_no_waiver_and_nobody_elses_counts() -> None:
    outcomes = [an_outcome(), an_outcome(id="S8-02", status=Status.FAIL)]

    assert waived(outcomes, [WAIVER], now=NOON) == tuple(outcomes)


def a_file(tmp_path: Path, rows: str, severity: str = "high") -> Path:
    root = a_checkout(tmp_path, **{"data/security/waivers.toml": f"schema = 1\n{rows}"})
    checks = root / "data/security/checks.toml"
    checks.write_text(checks.read_text().replace('"high"', f'"{severity}"'))
    return root


def test_waivers_are_read(tmp_path: Path) -> None:
    root = a_file(tmp_path, ROW)

    (waiver,) = load_waivers(root, load_catalogue(root))

    assert (waiver.check, waiver.expires) == ("S8-01", date(2026, 12, 24))


@pytest.mark.parametrize(
    ("rows", "severity", "told"),
    [
        (ROW, "critical", "waiver W-1: S8-01 is critical and cannot be waived"),
        (ROW.replace("S8-01", "S8-77"), "high", "waiver W-1: there is no check S8-77"),
        (ROW.replace('owner = "anna"\n', ""), "high", "waiver 1: owner"),
        (ROW.replace("2026-12-24", '"some day"'), "high", "waiver 1: expires"),
        (ROW + "until = 1\n", "high", "waiver 1: until is not known"),
    ],
)
def test_a_waiver_that_cannot_be_is_refused(tmp_path: Path, rows: str, severity: str, told: str) -> None:
    root = a_file(tmp_path, rows, severity)

    with pytest.raises(ConfigError, match=f"waivers.toml: {told}"):
        load_waivers(root, load_catalogue(root))


def test_nothing_is_waived_that_is_over_already() -> None:
    now = datetime.now(NOON.tzinfo).date()

    assert [str(each) for each in load_waivers(PROJECT, load_catalogue(PROJECT)) if each.expires < now] == []
