from collections import Counter
from itertools import islice, pairwise

import pytest

from harness.exchanges import Lane
from harness.speech import Operation
from replay.lanes import is_repeated, lane_orders, legs_of, repeated_until
from tests.builders import a_capture, a_request

IDS = [f"c{number}" for number in range(600)]


@pytest.mark.parametrize(("lanes", "block"), [(2, 2), (3, 6)])
def test_every_lane_stands_equally_often_at_every_place_of_a_block(lanes: int, block: int) -> None:
    orders = list(islice(lane_orders(7, lanes=lanes), 10 * block))

    for start in range(0, len(orders), block):
        places = Counter((place, lane) for order in orders[start : start + block] for place, lane in enumerate(order))
        assert set(places.values()) == {block // lanes}


def test_with_three_lanes_each_follows_each_other_equally_often() -> None:
    followers = Counter(pair for order in islice(lane_orders(7, lanes=3), 6) for pair in pairwise(order))

    assert len(followers) == 6
    assert set(followers.values()) == {2}


def test_the_same_seed_gives_the_same_legs_and_another_seed_others() -> None:
    again = [list(legs_of(IDS, seed=seed, repeat_share=0.25)) for seed in (1, 1, 2)]

    assert again[0] == again[1]
    assert again[0] != again[2]


def test_control_and_candidate_are_always_sent_and_the_repeat_for_about_its_share() -> None:
    legs = list(legs_of(IDS, seed=1, repeat_share=0.25))

    assert all({Lane.CONTROL, Lane.CANDIDATE} <= {leg.lane for leg in pair} for pair in legs)
    assert 100 <= sum(len(pair) == 3 for pair in legs) <= 200


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, len(IDS))])
def test_none_and_all_can_be_repeated(share: float, expected: int) -> None:
    assert sum(is_repeated(capture_id, seed=1, share=share) for capture_id in IDS) == expected


def test_growing_the_share_keeps_those_already_repeated() -> None:
    small = {c for c in IDS if is_repeated(c, seed=3, share=0.1)}
    large = {c for c in IDS if is_repeated(c, seed=3, share=0.3)}

    assert small < large


def test_each_repetition_has_legs_of_its_own() -> None:
    legs = list(legs_of(["c1"], seed=1, repeat_share=0.0, repetitions=3))

    assert [pair[0].repetition for pair in legs] == [0, 1, 2]
    assert len({leg.key for pair in legs for leg in pair}) == 6


def test_every_operation_gets_its_noise_pairs_or_all_that_it_has() -> None:
    spoken = [a_capture(f"g{number}") for number in range(200)]
    designed = [a_capture(f"d{number}", request=a_request(operation=Operation.DESIGN)) for number in range(5)]

    chosen = repeated_until(20, [*spoken, *designed], seed=1)

    assert sum(name.startswith("g") for name in chosen) == 20
    assert sum(name.startswith("d") for name in chosen) == 5


def test_those_repeated_for_the_noise_floor_are_the_first_that_a_growing_share_takes() -> None:
    spoken = [a_capture(f"g{number}") for number in range(300)]

    few, more = (repeated_until(pairs, spoken, seed=3) for pairs in (10, 40))

    assert few < more
    assert more <= {c.id for c in spoken if is_repeated(c.id, seed=3, share=0.25)}
    assert repeated_until(0, spoken, seed=3) == frozenset()
