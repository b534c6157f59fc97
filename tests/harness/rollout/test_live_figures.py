import random
from datetime import UTC, datetime

import pytest

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.evidence import Share
from harness.rollout.live_figures import figures_of, upper_share
from harness.rollout.outcomes import LiveOutcome
from harness.speech import Operation
from tests.harness.rollout.a_rollout import an_outcome

GENERATE = Operation.GENERATE
BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
BEGAN_S = BEGAN.timestamp()


def at(hours: float, **changes: object) -> LiveOutcome:
    return an_outcome(BEGAN_S + hours * 3_600, **changes)


def test_a_caller_that_legacy_saved_is_a_fallback_and_no_failed_caller() -> None:
    outcomes = [
        at(1),
        at(2, kind=ErrorKind.OVERLOADED, caller_failed=False),
        at(2, lane=Lane.CONTROL, caller_failed=False),
        at(3, kind=ErrorKind.RATE_LIMITED, caller_failed=True),
        at(3, lane=Lane.CONTROL, kind=ErrorKind.OVERLOADED, caller_failed=True),
        at(4, kind=ErrorKind.TIMEOUT_READ, caller_failed=None),  # a copy
    ]

    figures = figures_of(outcomes, GENERATE, since=BEGAN)

    assert (figures.answered, figures.to_qwen, figures.calls) == (1, 3, 4)
    assert figures.fallback == Share(part=1, whole=2)
    assert figures.failed_callers == 1
    assert figures.rate_limited == Share(part=1, whole=4)
    assert sum(figures.hours.values()) == 3  # three callers, though five calls


def test_what_was_before_the_stage_or_is_anothers_does_not_count() -> None:
    figures = figures_of([at(-1), at(1, operation=Operation.CLONE)], GENERATE, since=BEGAN)

    assert (figures.answered, figures.calls) == (0, 0)
    assert figures.user_errors_upper is None
    assert figures.cost_per_1k_upper_usd is None


def test_one_unknown_price_makes_the_cost_unknown() -> None:
    priced = [at(n / 60) for n in range(100)]

    known = figures_of(priced, GENERATE, since=BEGAN)
    unknown = figures_of([*priced, at(2, microusd=None)], GENERATE, since=BEGAN)

    assert known.cost_per_1k_upper_usd == pytest.approx(0.01)
    assert unknown.cost_per_1k_upper_usd is None


def test_the_usual_peak_must_have_been_lived_through_with_qwen() -> None:
    usual = [at(-24 + 18, lane=Lane.CONTROL) for _ in range(50)] + [at(-20, lane=Lane.CONTROL) for _ in range(5)]

    before = figures_of([*usual, at(3)], GENERATE, since=BEGAN)
    after = figures_of([*usual, at(3), at(18.5)], GENERATE, since=BEGAN)

    assert before.covers_peak is False
    assert after.covers_peak is True
    assert figures_of([], GENERATE, since=BEGAN).covers_peak is None
    assert before.peak_per_minute == 50


@pytest.mark.parametrize(("bad", "whole", "upper"), [(0, 1_000, 0.0042), (5, 3_000, 0.0047), (0, 6_000, 0.00096)])
def test_the_bound_of_a_share_is_what_it_was(bad: int, whole: int, upper: float) -> None:
    assert upper_share(bad, whole) == pytest.approx(upper, rel=0.02)


def test_a_bound_is_above_what_was_seen_and_falls_with_more_evidence() -> None:
    assert 0.3 < upper_share(3, 10) < 1.0
    assert upper_share(10, 10) > 0.99
    assert upper_share(30, 10_000) < upper_share(3, 1_000) < upper_share(0, 100) + 1.0


def test_looking_after_every_caller_is_wrong_in_less_than_one_of_twenty_rollouts() -> None:
    share, wrong = 0.01, 0
    for seed in range(200):
        draw, bad = random.Random(seed), 0
        for n in range(1, 1_501):
            bad += draw.random() < share
            if n % 25 == 0 and upper_share(bad, n) < share:
                wrong += 1
                break

    assert wrong <= 10
