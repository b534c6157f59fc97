import random
import statistics
from dataclasses import replace

import pytest

from harness.rollout.rules import SpendRules, load_rules
from harness.rollout.spend import Spend, upper_cost_per_1k_usd

CAPPED = replace(load_rules().spend, hour_usd=1.0, day_usd=5.0)


def names(spend: Spend) -> list[str]:
    return [name for name, _ in spend.over_caps()]


def test_a_cap_is_reached_by_the_call_that_reaches_it() -> None:
    spend = Spend(CAPPED)

    spend.add(0.0, microusd=999_999, chars=None)
    before = names(spend)
    spend.add(1.0, microusd=1, chars=None)

    assert (before, names(spend)) == ([], ["hour"])
    assert spend.over_caps()[0][1] == "$1.00 in the last hour, $1.00 is the cap"


def test_the_day_adds_up_what_no_hour_reached() -> None:
    spend = Spend(CAPPED)
    reached = []
    for hour in range(12):
        spend.add(hour * 3_600.0, microusd=900_000, chars=None)
        reached.append(names(spend))

    assert reached[:5] == [[]] * 5
    assert reached[5] == ["day"]


def test_without_caps_there_is_nothing_to_reach() -> None:
    spend = Spend(load_rules().spend)
    spend.add(0.0, microusd=10**12, chars=None)

    assert spend.over_caps() == []


@pytest.mark.parametrize(
    ("usd_per_1k", "dear"),
    [pytest.param(0.0115, False, id="as planned"), pytest.param(0.0180, True, id="above one and a half times")],
)
def test_a_price_per_character_above_the_plan_is_seen_by_a_hundred_calls(usd_per_1k: float, dear: bool) -> None:
    spend, dice = Spend(CAPPED), random.Random(1)
    said = []
    for number in range(100):
        chars = dice.randrange(20, 300)
        spend.add(float(number), microusd=round(chars * usd_per_1k * 1_000), chars=chars)
        said.append(spend.over_plan())

    assert said[:99] == [None] * 99
    assert (said[99] is not None) == dear
    if dear:
        assert "may cost $0.0180 by 100 requests, $0.0173 is the limit" in (said[99] or "")


def test_voices_do_not_count_as_characters() -> None:
    spend = Spend(replace(CAPPED, min_requests=2))
    for number in range(10):
        spend.add(float(number), microusd=200_000, chars=None)

    assert spend.over_plan() is None


def test_the_bound_holds_about_nineteen_times_in_twenty() -> None:
    dice, covered, trials, estimates = random.Random(2), 0, 1_500, []
    for _ in range(trials):
        calls = [(chars := dice.randrange(20, 300), round(chars * dice.uniform(5, 25))) for _ in range(120)]
        sums = [
            sum(cost for _, cost in calls),
            sum(chars for chars, _ in calls),
            sum(cost * cost for _, cost in calls),
            sum(cost * chars for chars, cost in calls),
            sum(chars * chars for chars, _ in calls),
        ]
        upper_usd = upper_cost_per_1k_usd(len(calls), *sums)
        assert upper_usd is not None
        covered += upper_usd >= 0.015
        estimates.append(upper_usd)

    assert 0.93 < covered / trials < 0.97
    assert statistics.mean(estimates) < 0.0175


def test_too_few_calls_have_no_bound() -> None:
    assert upper_cost_per_1k_usd(1, 100, 10, 10_000, 1_000, 100) is None
    assert upper_cost_per_1k_usd(2, 100, 0, 10_000, 0, 0) is None


def test_a_restart_forgets_nothing() -> None:
    spend, other = Spend(CAPPED), Spend(CAPPED)
    for number in range(200):
        spend.add(number * 60.0, microusd=30_000, chars=90)

    other.load(spend.dump())

    assert other.over_caps() == spend.over_caps() != []
    assert other.over_plan() == spend.over_plan() is not None


def test_rules_without_caps_say_so() -> None:
    assert not SpendRules(plan_usd_per_1k_chars=0.01, max_ratio=1.5, min_requests=1).has_caps
