import math
import random
from typing import Any

import pytest

from replay.position import PositionEffect, position_effect

Pair = dict[str, dict[str, Any]]


def pairs(count: int, *, effect: float, ratio: float = 1.0, seed: int = 1) -> list[Pair]:
    """Pairs in balanced order; who starts second takes `effect` times as long, the candidate `ratio` times."""
    generator = random.Random(seed)
    found = []
    for number in range(count):
        place = {"control": number % 2, "candidate": 1 - number % 2}
        text = generator.lognormvariate(0.0, 1.0)  # a long text is long for both
        pair: Pair = {}
        for lane, own in (("control", 1.0), ("candidate", ratio)):
            service_s = text * own * effect ** place[lane] * generator.lognormvariate(0.0, 0.2)
            pair[lane] = {"position": place[lane], "outcome": "ok", "service_s": service_s}
        found.append(pair)
    return found


def the(effect: PositionEffect | None) -> PositionEffect:
    assert effect is not None
    return effect


def test_an_effect_that_is_there_is_found_whichever_provider_is_slower() -> None:
    found = the(position_effect(pairs(2_000, effect=1.08, ratio=3.0)))

    assert found.ratio == pytest.approx(1.08, abs=0.02)
    assert not found.is_none
    assert (found.control_first, found.candidate_first) == (1_000, 1_000)


def test_a_slower_candidate_is_no_effect_of_its_place() -> None:
    assert the(position_effect(pairs(2_000, effect=1.0, ratio=3.0))).is_none


def test_the_interval_holds_the_truth_in_about_95_of_100_runs() -> None:
    found = [the(position_effect(pairs(100, effect=1.05, ratio=1.5, seed=seed))) for seed in range(400)]

    held = sum(effect.low <= 1.05 <= effect.high for effect in found)

    assert 366 <= held <= 394  # 380 expected; four standard deviations are 17


def test_only_pairs_that_both_delivered_count() -> None:
    sound = pairs(40, effect=1.0)
    broken: list[Pair] = [
        {**sound[0], "candidate": {**sound[0]["candidate"], "outcome": "timeout_read"}},
        {**sound[1], "control": {**sound[1]["control"], "service_s": None}},
        {"candidate": sound[2]["candidate"]},
    ]

    found = the(position_effect([*sound, *broken]))

    assert found == position_effect(sound)
    assert math.isfinite(found.high)


@pytest.mark.parametrize("count", [0, 2, 18])
def test_too_few_pairs_show_nothing(count: int) -> None:
    assert position_effect(pairs(count, effect=2.0)) is None
