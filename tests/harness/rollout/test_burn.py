import random

import pytest

from harness.rollout.burn import BurnRate
from harness.rollout.rules import load_rules
from harness.rollout.trip import TripAction

RULES = load_rules().burn


def burning(burn: BurnRate, at_s: float) -> list[float]:
    return [window.factor for window, _ in burn.burning(at_s)]


def feed(
    burn: BurnRate, *, from_s: float, to_s: float, per_second: float, failing: float, seed: int = 1
) -> float | None:
    """Callers at a steady rate; when the first rollback rule fired."""
    dice, at_s = random.Random(1), from_s
    while (at_s := at_s + 1 / per_second) < to_s:
        failed = dice.random() < failing
        burn.add(at_s, failed=failed)
        fired = burn.burning(at_s) if failed else []
        if any(window.action is TripAction.ROLL_BACK for window, _ in fired):
            return at_s
    return None


def test_half_of_all_callers_failing_fires_within_minutes() -> None:
    burn = BurnRate(RULES)
    feed(burn, from_s=0, to_s=6 * 3_600, per_second=1, failing=0.0)

    fired_s = feed(burn, from_s=6 * 3_600, to_s=8 * 3_600, per_second=1, failing=0.5)

    # 7.2 % of an hour's callers at half of them failing: about nine minutes.
    assert fired_s is not None
    assert 8 < (fired_s - 6 * 3_600) / 60 < 10


def test_four_percent_fires_within_hours() -> None:
    burn = BurnRate(RULES)
    feed(burn, from_s=0, to_s=6 * 3_600, per_second=0.5, failing=0.0)

    fired_s = feed(burn, from_s=6 * 3_600, to_s=12 * 3_600, per_second=0.5, failing=0.04)

    assert fired_s is not None
    assert 3 < (fired_s - 6 * 3_600) / 3_600 < 6


def test_what_the_objective_allows_never_fires_a_rollback() -> None:
    assert feed(BurnRate(RULES), from_s=0, to_s=86_400, per_second=0.5, failing=0.005) is None


def test_a_slow_leak_is_a_ticket() -> None:
    burn = BurnRate(RULES)
    feed(burn, from_s=0, to_s=2 * 86_400, per_second=0.2, failing=0.01)

    assert burning(burn, 2 * 86_400) == [1.0]


@pytest.mark.parametrize(("failures", "fires"), [(4, False), (5, True)])
def test_on_a_quiet_night_it_takes_five_failed_callers(failures: int, fires: bool) -> None:
    burn = BurnRate(RULES)
    for number in range(failures):
        burn.add(number * 10.0, failed=True)

    assert (14.4 in burning(burn, failures * 10.0)) == fires


def test_an_outage_that_is_over_does_not_fire_again() -> None:
    burn = BurnRate(RULES)
    for number in range(20):
        burn.add(float(number), failed=True)

    assert 14.4 in burning(burn, 60.0)
    assert 14.4 not in burning(burn, 360.0)


def test_the_reason_has_the_figures() -> None:
    burn = BurnRate(RULES)
    for number in range(10):
        burn.add(float(number), failed=number < 5)

    (_, figures), *_ = burn.burning(10.0)

    assert figures == "5 of 10 callers without speech in 1 h, 100.0 times what 99.5% allows"


def test_a_restart_forgets_nothing() -> None:
    burn, other = BurnRate(RULES), BurnRate(RULES)
    feed(burn, from_s=0, to_s=3_600, per_second=0.1, failing=0.3)

    other.load(burn.dump())

    assert other.burning(3_600.0) == burn.burning(3_600.0)
    assert other.burning(3_600.0)
