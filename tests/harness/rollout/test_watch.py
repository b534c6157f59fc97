import json
import math
import random
from dataclasses import replace
from typing import Any

import pytest

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.outcomes import AudioTrouble, LiveOutcome
from harness.rollout.rules import Rules, load_rules
from harness.rollout.trip import Trip, TripAction
from harness.rollout.watch import Watch
from harness.routing.breakers import BreakerChange
from harness.speech import Operation
from tests.harness.rollout.a_rollout import an_outcome

RULES = load_rules()
CAPPED = replace(RULES, spend=replace(RULES.spend, hour_usd=1.0, day_usd=5.0))
BAD = ErrorKind.OVERLOADED


def failed(at_s: float = 0.0, **changes: Any) -> LiveOutcome:
    return an_outcome(at_s, **{"kind": BAD, "microusd": 0, "troubles": None, "slow": None, **changes})


def fired(outcomes: list[LiveOutcome], rules: Rules = RULES, watch: Watch | None = None) -> list[Trip]:
    watch = watch or Watch(rules)
    return [trip for outcome in outcomes for trip in watch.take(outcome)]


def triggers(trips: list[Trip]) -> list[tuple[str, TripAction]]:
    return [(trip.trigger, trip.action) for trip in trips]


def test_a_good_day_fires_nothing() -> None:
    assert fired([an_outcome(at_s * 10.0) for at_s in range(8_640)]) == []


def test_errors_of_all_processes_add_up() -> None:
    outcomes = [failed(float(number), process=f"worker-{number}") for number in range(5)]

    (trip,) = fired(outcomes)

    assert (trip.trigger, trip.action, trip.operation) == ("errors", TripAction.ROLL_BACK, Operation.GENERATE)
    assert (trip.at_s, trip.forced) == (4.0, False)
    assert "the last one overloaded" in trip.reason


def test_what_has_tripped_takes_as_much_evidence_to_trip_again() -> None:
    outcomes = [failed(float(number)) for number in range(5)] + [failed(4_000.0 + number) for number in range(5)]

    assert [trip.at_s for trip in fired(outcomes)] == [4.0, 4_004.0]


def test_our_own_faults_and_legacys_are_not_qwens() -> None:
    ours = [failed(float(number), kind=ErrorKind.BAD_REQUEST) for number in range(50)]
    limited = [failed(float(number), kind=ErrorKind.RATE_LIMITED) for number in range(50)]
    legacy = [failed(float(number), lane=Lane.CONTROL) for number in range(50)]

    assert fired(ours) == fired(limited) == fired(legacy) == []


def test_operations_are_watched_apart() -> None:
    outcomes = [failed(float(number), operation=list(Operation)[number % 3]) for number in range(12)]

    assert fired(outcomes) == []


def test_a_breaker_that_opens_twice_rolls_back() -> None:
    opened = [failed(at_s, change=BreakerChange.OPENED) for at_s in (0.0, 30.0)]

    assert triggers(fired(opened)) == [("openings", TripAction.ROLL_BACK)]


def test_audio_that_nobody_would_accept_rolls_back_and_says_what_was_heard() -> None:
    silent = [an_outcome(float(n), troubles=(AudioTrouble.SILENT,)) for n in range(3)]
    both = [an_outcome(float(n), troubles=(AudioTrouble.CLIPPED, AudioTrouble.ABSURD_DURATION)) for n in range(3, 6)]

    long_ago = [an_outcome(-100.0, troubles=(AudioTrouble.EMPTY,)), *[an_outcome(-1.0)] * 60]

    (trip,) = fired([*long_ago, *silent, *both])

    assert trip.trigger == "audio"
    assert trip.reason == "bad audio well above 1%: 3 silent, 2 clipped, 2 absurd-duration"


def test_audio_that_was_not_looked_at_proves_nothing() -> None:
    watch = Watch(RULES)
    troubled = an_outcome(0.0, troubles=(AudioTrouble.EMPTY,))

    trips = fired([troubled] * 4 + [an_outcome(0.0, troubles=None)] * 500 + [troubled], watch=watch)

    assert triggers(trips) == [("audio", TripAction.ROLL_BACK)]


def test_failed_callers_burn_the_allowance_whatever_the_provider_did() -> None:
    outcomes = [an_outcome(float(number), kind=ErrorKind.BAD_REQUEST, caller_failed=True) for number in range(5)]

    assert ("burn 14.4x", TripAction.ROLL_BACK) in triggers(fired(outcomes))


def test_callers_whom_legacy_helped_burn_nothing() -> None:
    outcomes = [an_outcome(float(number), kind=ErrorKind.RATE_LIMITED, caller_failed=False) for number in range(500)]

    assert fired(outcomes) == []


def test_a_reached_cap_takes_everything_back_even_while_legacy_is_sick() -> None:
    spent = [an_outcome(float(n), operation=Operation.CLONE, microusd=250_000) for n in range(5)]

    (trip,) = fired(spent, CAPPED)

    assert (trip.trigger, trip.action, trip.operation, trip.forced, trip.at_s) == (
        "spend hour", TripAction.ROLL_BACK, None, True, 3.0,
    )  # fmt: skip


def test_a_dear_character_rolls_back() -> None:
    outcomes = [an_outcome(float(n), microusd=1_800, chars=90) for n in range(100)]

    (trip,) = fired(outcomes)

    assert (trip.trigger, trip.at_s, trip.forced) == ("cost per character", 99.0, True)


def test_an_unknown_price_holds() -> None:
    (trip,) = fired([an_outcome(0.0, microusd=None)])

    assert (trip.trigger, trip.action) == ("price unknown", TripAction.HOLD)


def test_a_failed_call_of_unknown_price_does_not_hold() -> None:
    assert fired([failed(0.0, microusd=None)]) == []


def test_legacy_is_sick_while_any_process_finds_it_so() -> None:
    def legacy(at_s: float, process: str, change: BreakerChange | None) -> LiveOutcome:
        return failed(at_s, lane=Lane.CONTROL, process=process, change=change)

    trips = fired(
        [
            legacy(0.0, "a", BreakerChange.OPENED),
            legacy(1.0, "b", BreakerChange.OPENED),
            legacy(2.0, "a", BreakerChange.CLOSED),
            legacy(3.0, "b", BreakerChange.CLOSED),
        ]
    )

    assert [(trip.action, trip.at_s) for trip in trips] == [(TripAction.FREEZE, 0.0), (TripAction.THAW, 3.0)]


def test_a_process_that_died_does_not_keep_legacy_sick_for_ever() -> None:
    sick = failed(0.0, lane=Lane.CONTROL, process="dead", change=BreakerChange.OPENED)
    fine = an_outcome(900.0, lane=Lane.CONTROL, process="alive")

    assert [trip.action for trip in fired([sick, fine])] == [TripAction.FREEZE, TripAction.THAW]


def test_a_cause_that_lasts_is_said_again_only_after_an_hour() -> None:
    unknown = [an_outcome(at_s, microusd=None) for at_s in (0.0, 1.0, 3_599.0, 3_600.0, 3_601.0)]

    assert [trip.at_s for trip in fired(unknown)] == [0.0, 3_600.0]


def test_a_new_rollout_is_not_blamed_for_the_last_one_but_its_money_is_gone() -> None:
    watch = Watch(CAPPED)
    first = fired([failed(float(n)) for n in range(5)] + [an_outcome(5.0, microusd=900_000, chars=90_000)], watch=watch)

    watch.reset(Operation.GENERATE)

    again = fired([failed(float(n)) for n in range(10, 14)], watch=watch)
    cap = fired([an_outcome(20.0, microusd=200_000, chars=20_000)], watch=watch)
    assert triggers(first) == [("errors", TripAction.ROLL_BACK)]
    assert (again, triggers(cap)) == ([], [("spend hour", TripAction.ROLL_BACK)])


def test_booking_counts_money_and_nothing_else() -> None:
    watch = Watch(CAPPED)
    for number in range(20):
        watch.book(failed(float(number), microusd=49_000, chars=4_900))

    assert fired([an_outcome(21.0, microusd=19_000, chars=1_900)], watch=watch) == []
    assert triggers(fired([an_outcome(22.0, microusd=2_000, chars=200)], watch=watch)) == [
        ("spend hour", TripAction.ROLL_BACK)
    ]


def _stream(seed: int) -> list[LiveOutcome]:
    dice, outcomes = random.Random(seed), []
    for number in range(400):
        bad = dice.random() < 0.08
        outcomes.append(
            an_outcome(
                number * 7.0,
                process=f"w{dice.randrange(3)}",
                operation=dice.choice(list(Operation)),
                lane=dice.choice([Lane.CANDIDATE, Lane.CANDIDATE, Lane.CONTROL]),
                kind=BAD if bad else None,
                caller_failed=bad and dice.random() < 0.5,
                microusd=dice.choice([0, 900, 20_000]),
                troubles=() if dice.random() < 0.97 else (AudioTrouble.SILENT,),
                change=dice.choice([None] * 60 + [BreakerChange.OPENED, BreakerChange.CLOSED]),
            )
        )
    return outcomes


@pytest.mark.parametrize("seed", range(6))
def test_a_restart_anywhere_changes_nothing(seed: int) -> None:
    outcomes = _stream(seed)
    straight = fired(outcomes, CAPPED)
    for cut in (0, 1, 137, 399):
        first, second = Watch(CAPPED), Watch(CAPPED)
        before = fired(outcomes[:cut], watch=first)
        second.load(json.loads(json.dumps(first.dump())))

        assert before + fired(outcomes[cut:], watch=second) == straight
    assert straight


def test_the_same_errors_trip_soon_whatever_the_number_of_processes() -> None:
    needed = []
    for processes in (1, 4, 16):
        dice, watch, count = random.Random(1), Watch(RULES), 0
        while True:
            count += 1
            outcome = an_outcome(float(count), process=f"w{dice.randrange(processes)}")
            if dice.random() < 0.1:
                outcome = failed(float(count), process=outcome.process)
            if watch.take(outcome):
                break
        needed.append(count)

    assert max(needed) < 300
    assert math.isfinite(sum(needed))
