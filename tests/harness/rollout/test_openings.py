from harness.rollout.openings import Openings
from harness.rollout.rules import load_rules

RULES = load_rules().stage


def test_a_second_opening_within_fifteen_minutes_is_one_too_many() -> None:
    openings = Openings(RULES)

    assert openings.add("worker-1", 0.0) is None
    assert openings.add("worker-1", 899.0) == "a breaker opened 2 times within 15 min"


def test_an_opening_long_after_the_first_is_a_first_one() -> None:
    openings = Openings(RULES)
    openings.add("worker-1", 0.0)

    assert openings.add("worker-1", 900.0) is None
    assert openings.add("worker-1", 1_000.0) is not None


def test_one_outage_that_opens_the_breakers_of_all_processes_is_one_outage() -> None:
    openings = Openings(RULES)

    assert [openings.add(f"worker-{number}", 1.0) for number in range(8)] == [None] * 8


def test_a_restart_forgets_nothing() -> None:
    openings, other = Openings(RULES), Openings(RULES)
    openings.add("worker-1", 0.0)

    other.load(openings.dump())

    assert other.add("worker-1", 10.0) is not None
