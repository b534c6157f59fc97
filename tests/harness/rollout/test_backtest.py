import random
from dataclasses import replace
from typing import Any

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.backtest import backtest
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.rules import load_rules
from harness.rollout.trip import TripAction
from harness.routing.breakers import BreakerChange
from harness.routing.cusum import CusumRule
from harness.speech import Operation
from tests.benchmarks.triggers import a_day
from tests.harness.rollout.a_rollout import an_outcome

RULES = load_rules()
BAD = ErrorKind.OVERLOADED
NEVER = CusumRule(p0=0.01, p1=0.08, h=1e9)


def stream(count: int, *, failing: float, seed: int = 1, **changes: Any) -> list[LiveOutcome]:
    dice = random.Random(seed)
    return [
        an_outcome(number * 1.0, kind=BAD if dice.random() < failing else None, microusd=0, **changes)
        for number in range(count)
    ]


def test_a_quiet_record_trips_nothing() -> None:
    result = backtest(stream(5_000, failing=0.0), RULES)

    assert (result.outcomes, result.withheld, result.openings, result.trips, result.first) == (5_000, 0, [], [], {})


def test_an_outage_says_when_the_breaker_opens_and_when_the_canary_ends() -> None:
    outcomes = [
        *stream(100, failing=0.0),
        *[replace(each, at_s=100.0 + each.at_s) for each in stream(100, failing=1.0)],
    ]

    result = backtest(outcomes, RULES)

    opening, first = result.openings[0], result.first[Operation.GENERATE]
    assert (opening.request, opening.at_s, opening.lane) == (103, 102.0, Lane.CANDIDATE)
    # 29 calls are kept from Qwen until the first probe at 132 s, whose failure is the second opening.
    assert (first.trip.trigger, first.trip.at_s) == ("openings", 132.0)
    assert (first.request, first.failed_before, first.failed_after) == (133, 33, 67)
    assert result.withheld == 29


def test_what_the_breakers_did_then_is_decided_anew() -> None:
    outcomes = [an_outcome(float(n), change=BreakerChange.OPENED) for n in range(10)]

    assert backtest(outcomes, RULES).openings == []


def test_other_rules_trip_elsewhere() -> None:
    outcomes = stream(4_000, failing=0.06)
    calm = replace(RULES, stage=replace(RULES.stage, errors=NEVER), breaker=replace(RULES.breaker, errors=NEVER))

    default, calmer = backtest(outcomes, RULES), backtest(outcomes, calm)

    assert default.first[Operation.GENERATE].request < 500
    assert calmer.first.get(Operation.GENERATE) is None or (
        calmer.first[Operation.GENERATE].request > default.first[Operation.GENERATE].request
    )


def test_a_trip_of_money_ends_the_canary_of_every_operation_that_had_one() -> None:
    two = (Operation.CLONE, Operation.DESIGN)
    capped = replace(RULES, spend=replace(RULES.spend, hour_usd=0.01, day_usd=1.0))
    outcomes = [an_outcome(float(n), operation=two[n % 2], microusd=1_000) for n in range(20)]

    result = backtest(outcomes, capped)

    assert set(result.first) == set(two)
    assert {first.trip.trigger for first in result.first.values()} == {"spend hour"}


def test_legacy_falling_sick_is_told_and_ends_no_canary() -> None:
    result = backtest(stream(30, failing=1.0, lane=Lane.CONTROL), RULES)

    assert [trip.action for trip in result.trips] == [TripAction.FREEZE]
    assert result.first == {}
    assert {opening.lane for opening in result.openings} == {Lane.CONTROL}


def test_the_same_record_always_trips_at_the_same_place() -> None:
    outcomes = stream(2_000, failing=0.1)

    assert backtest(outcomes, RULES) == backtest(outcomes, RULES)


def test_an_hour_of_a_canary_that_turns_bad_is_rolled_back_within_minutes() -> None:
    # The short form of tests/benchmarks/triggers.py, which simulates a day.
    hour = a_day(per_second=2.5, hours=1.0, bad_from_h=0.5, bad_rate=0.10, seed=3)

    first = backtest(hour, RULES).first[Operation.GENERATE]

    assert 0 < first.trip.at_s - 1_800 < 300
    assert first.failed_after > first.failed_before
