from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness.exchanges import Lane
from harness.store.manifest import sha256_of
from replay.plan import LaneTarget, ReplayPlan
from tests.builders import a_capture

LEGACY = LaneTarget(provider="modal", account="modal.test", region="us-east", models={"all": "m"})
QWEN = LaneTarget(provider="qwen", account="qwen.test", region="ap-southeast-1", models={"generate": "g"})
TARGETS: Mapping[Lane, LaneTarget] = {Lane.CONTROL: LEGACY, Lane.CANDIDATE: QWEN, Lane.REPEAT: LEGACY}


def a_plan(count: int = 4, **changes: object) -> ReplayPlan:
    plan = ReplayPlan(
        captures=[a_capture(f"c{number}") for number in range(count)],
        capture_sha256="s" * 64,
        targets=TARGETS,
        seed=1,
        repeat_share=0.5,
        repetitions=1,
        price_version="p",
        labels={},
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


def test_the_same_plan_has_the_same_hash() -> None:
    assert a_plan().sha256 == a_plan().sha256
    assert a_plan().sha256.startswith(a_plan().confirmation)


@pytest.mark.parametrize(
    "change",
    [
        {"captures": [a_capture("other")]},
        {"capture_sha256": "t" * 64},
        {"targets": {**TARGETS, Lane.CANDIDATE: replace(QWEN, models={"generate": "h"})}},
        {"targets": {**TARGETS, Lane.CANDIDATE: replace(QWEN, account="other")}},
        {"seed": 2},
        {"repeat_share": 0.4},
        {"repetitions": 2},
        {"price_version": "q"},
        {"repeat_pairs": 3},
        {"warm_up": 2},
        {"labels": {"night": "1"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_what_is_sent_or_paid_changes_the_hash(change: dict[str, object]) -> None:
    assert a_plan(**change).sha256 != a_plan().sha256


def test_every_capture_has_its_legs_for_every_repetition() -> None:
    entries = list(a_plan(3, repetitions=2).entries())

    assert [(entry.capture.id, entry.legs[0].repetition) for entry in entries] == [
        ("c0", 0), ("c0", 1), ("c1", 0), ("c1", 1), ("c2", 0), ("c2", 1),
    ]  # fmt: skip
    assert all(leg.capture_id == entry.capture.id for entry in entries for leg in entry.legs)


def test_legs_are_counted_by_lane() -> None:
    counts = a_plan(40, repeat_share=1.0).leg_counts()

    assert counts == {Lane.CONTROL: 40, Lane.CANDIDATE: 40, Lane.REPEAT: 40}


def test_control_is_repeated_until_there_are_enough_noise_pairs() -> None:
    counts = a_plan(40, repeat_share=0.0, repeat_pairs=7).leg_counts()

    assert counts == {Lane.CONTROL: 40, Lane.CANDIDATE: 40, Lane.REPEAT: 7}


def test_the_hash_of_the_ids_is_that_of_their_json_array() -> None:
    plan = a_plan(captures=[a_capture("plain"), a_capture('with "quotes" and ü')])

    assert plan.identity()["capture_ids_sha256"] == sha256_of(["plain", 'with "quotes" and ü'])
    assert a_plan(captures=[]).identity()["capture_ids_sha256"] == sha256_of([])
