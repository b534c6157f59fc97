import pytest

from harness.security.check import Severity
from harness.security.outcome import Evidence, GateBroken, Part, Status, exit_status, outcome_of
from tests.harness.security.a_gate import a_check, an_outcome

PASS, FAIL, NOT_RUN, WAIVED = Status.PASS, Status.FAIL, Status.NOT_RUN, Status.WAIVED


def a_part(status: Status, reason: str = "", **changes: object) -> Part:
    return Part(status=status, how=f"{status}", reason=reason, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([PASS, PASS], PASS),
        ([PASS, NOT_RUN], NOT_RUN),
        ([NOT_RUN, FAIL, PASS], FAIL),
        ([], NOT_RUN),
    ],
    ids=str,
)
def test_the_worst_part_decides_and_no_part_at_all_is_not_run(statuses: list[Status], outcome: Status) -> None:
    assert outcome_of(a_check(), [a_part(status) for status in statuses]).status is outcome


def test_an_outcome_says_why_how_and_on_what_it_rests() -> None:
    files = (Evidence(path="b", sha256="2"), Evidence(path="a", sha256="1"))
    parts = [
        a_part(PASS, duration_s=1.0, evidence=files),
        *(a_part(FAIL, f"reason {n}", duration_s=0.5) for n in range(5)),
    ]

    outcome = outcome_of(a_check(), parts)

    assert outcome.reason == "reason 0; reason 1; reason 2 (and 2 more)"
    assert outcome.duration_ms == 3_500
    assert [each.path for each in outcome.evidence] == ["a", "b"]
    assert outcome.command == "cutover gate run --only S8-01"
    assert outcome.how == ("pass", *["fail"] * 5)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([(Severity.CRITICAL, PASS), (Severity.HIGH, WAIVED)], 0),
        ([(Severity.CRITICAL, FAIL), (Severity.HIGH, NOT_RUN)], 1),
        ([(Severity.HIGH, FAIL)], 1),
        ([(Severity.CRITICAL, NOT_RUN)], 2),
        ([(Severity.HIGH, NOT_RUN)], 2),
        ([(Severity.MEDIUM, NOT_RUN), (Severity.HIGH, PASS)], 0),
        ([(Severity.MEDIUM, FAIL), (Severity.HIGH, PASS)], 0),
        ([(Severity.MEDIUM, FAIL), (Severity.MEDIUM, FAIL)], 1),
        ([(Severity.LOW, FAIL), (Severity.LOW, FAIL)], 0),
        ([], 2),
    ],
    ids=str,
)
def test_the_gate_fails_closed(outcomes: list[tuple[Severity, Status]], status: int) -> None:
    found = [an_outcome(severity=severity, status=each) for severity, each in outcomes]

    assert exit_status(found, medium_failures=1) == status


def test_a_broken_gate_has_a_status_of_its_own() -> None:
    assert GateBroken.exit_status == 3
