import pytest

from harness.judgement import Decision, Finding, Interval, Outcome, decision_of, worst
from harness.speech import Operation


def a_finding(outcome: Outcome, *, gate: str = "error_rate", blocking: bool = True) -> Finding:
    return Finding(
        gate=gate,
        operation=Operation.GENERATE,
        outcome=outcome,
        blocking=blocking,
        interval=Interval(estimate=0.0, low=None, high=0.01),
        limit=0.01,
        unit="pp",
        counts={"pairs": 500},
        reason="because",
    )


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
        (["fail", "invalid"], "invalid"),
    ],
)
def test_the_worst_blocking_gate_wins(outcomes: list[str], expected: str) -> None:
    finding = worst(a_finding(Outcome(outcome)) for outcome in outcomes)

    assert finding is not None
    assert finding.outcome == expected


def test_an_advisory_gate_never_votes() -> None:
    finding = worst([a_finding(Outcome.PASS), a_finding(Outcome.FAIL, blocking=False)])

    assert finding is not None
    assert finding.outcome is Outcome.PASS


def test_of_equally_bad_gates_the_first_decides() -> None:
    finding = worst([a_finding(Outcome.FAIL, gate="first"), a_finding(Outcome.FAIL, gate="second")])

    assert finding is not None
    assert finding.gate == "first"


def test_without_a_blocking_gate_nothing_decides() -> None:
    assert worst([a_finding(Outcome.FAIL, blocking=False)]) is None


def test_every_outcome_leads_to_a_decision_with_an_exit_status_of_its_own() -> None:
    decisions = [decision_of(outcome) for outcome in Outcome]

    assert {decision.exit_status for decision in decisions} == {0, 1, 3, 4}
    assert set(decisions) == set(Decision)
