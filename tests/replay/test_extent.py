from harness.clock import FakeClock
from harness.exchanges import Lane
from harness.speech import Operation
from replay.extent import extent_of
from replay.plan import ReplayPlan
from tests.builders import NOON, a_capture, a_request
from tests.replay.test_plan import TARGETS, a_plan
from tests.scripted import ScriptedProvider


def providers(*, qwen_worst: int | None = 2_000) -> dict[Lane, ScriptedProvider]:
    clock = FakeClock()
    legacy = ScriptedProvider("modal", clock=clock, worst_microusd=300)
    qwen = ScriptedProvider("qwen", clock=clock, worst_microusd=qwen_worst)
    return {Lane.CONTROL: legacy, Lane.CANDIDATE: qwen, Lane.REPEAT: legacy}


def test_every_leg_of_every_repetition_counts_and_every_character_once() -> None:
    plan: ReplayPlan = a_plan(10, repetitions=2, repeat_share=1.0)

    found = extent_of(plan, providers(), now=NOON)

    assert (found.captures, found.operations, found.billed_chars) == (10, {"generate": 10}, 10 * len("Good morning."))
    assert found.legs == {Lane.CONTROL: 20, Lane.CANDIDATE: 20, Lane.REPEAT: 20} == plan.leg_counts()
    assert found.worst_microusd == {Lane.CONTROL: 6_000, Lane.CANDIDATE: 40_000, Lane.REPEAT: 6_000}


def test_a_warm_up_is_in_the_bound_and_in_no_count_of_legs() -> None:
    found = extent_of(a_plan(4, warm_up=3, repeat_share=0.0), providers(), now=NOON)

    assert found.legs == {Lane.CONTROL: 4, Lane.CANDIDATE: 4}
    assert found.worst_microusd == {Lane.CONTROL: 7 * 300, Lane.CANDIDATE: 7 * 2_000, Lane.REPEAT: 0}


def test_one_unknown_price_makes_the_bound_of_its_lane_unknown() -> None:
    found = extent_of(a_plan(2, repeat_share=0.0), providers(qwen_worst=None), now=NOON)

    assert found.worst_microusd == {Lane.CONTROL: 600, Lane.CANDIDATE: None, Lane.REPEAT: 0}


def test_a_plan_without_captures_comes_to_nothing() -> None:
    plan = a_plan(0)

    found = extent_of(plan, providers(), now=NOON)

    assert (found.captures, found.legs, plan.targets) == (0, {}, TARGETS)
    assert a_capture(request=a_request("x")) not in plan.captures


def test_what_is_refused_before_it_is_sent_is_counted_and_costs_nothing() -> None:
    without_consent = [a_capture(f"c{number}", request=a_request(operation=Operation.CLONE)) for number in range(3)]
    plan = a_plan(captures=[*without_consent, a_capture("spoken")], repeat_share=0.0)

    found = extent_of(plan, providers(), now=NOON)

    assert found.skipped == {Lane.CONTROL: 3, Lane.CANDIDATE: 3}
    assert found.worst_microusd == {Lane.CONTROL: 300, Lane.CANDIDATE: 2_000, Lane.REPEAT: 0}
