import pytest

from analysis.costs import judge_cost
from analysis.findings import Evaluated
from analysis.gates import RatioOfTotals
from harness.judgement import Outcome
from tests.frames import a_scene, mostly, some_pairs

CHARS = RatioOfTotals(kind="ratio_of_totals", per="1k_chars", ratio_max=1.0, abs_max_usd=0.015)
REQUEST = RatioOfTotals(kind="ratio_of_totals", per="request", abs_max_usd=0.02)


def judged(gate: RatioOfTotals, pairs: object = None) -> Evaluated:
    return judge_cost("the_gate", gate, a_scene(pairs))  # type: ignore[arg-type] # a frame or none


def test_a_price_below_both_limits_passes() -> None:
    # 1,000 micro-dollars for 100 characters are 10 dollars a million, control's 4,500 are 45.
    found = judged(CHARS, some_pairs(control={"cost_microusd": 4_500}))

    assert found.finding.outcome is Outcome.PASS
    assert found.finding.interval.estimate == pytest.approx(1_000 / 4_500)
    assert found.finding.counts == {"pairs": 400, "candidate_delivered": 400, "control_delivered": 400}


@pytest.mark.parametrize(
    ("candidate", "control", "unit"),
    [
        pytest.param(1_400, 1_000, "ratio", id="dearer than control"),
        pytest.param(3_000, 9_000, "usd_per_1k_chars", id="dearer than the price list, cheaper than control"),
    ],
)
def test_either_limit_can_fail_it(candidate: int, control: int, unit: str) -> None:
    pairs = some_pairs(control={"cost_microusd": control}, candidate={"cost_microusd": candidate})

    found = judged(CHARS, pairs)

    assert found.finding.outcome is Outcome.FAIL
    assert found.finding.unit == unit
    assert found.strength > 0.0


def test_a_price_of_a_request_is_told_in_dollars() -> None:
    found = judged(REQUEST, some_pairs(candidate={"cost_microusd": 10_600}))

    assert found.finding.outcome is Outcome.PASS
    assert found.finding.interval.estimate == pytest.approx(0.0106)
    assert "$0.0106/request" in found.finding.reason


@pytest.mark.parametrize("side", ["candidate", "control"])
def test_an_unknown_price_is_invalid_and_never_nothing(side: str) -> None:
    pairs = some_pairs(**{side: {"cost_microusd": [None] + [1_000] * 399}})  # type: ignore[arg-type] # one of the sides

    found = judged(CHARS, pairs).finding

    assert found.outcome is Outcome.INVALID
    assert f"the price of 1 {side} exchange is unknown" in found.reason
    assert found.counts["unpriced"] == 1


def test_what_control_costs_is_of_no_matter_to_a_fixed_limit() -> None:
    pairs = some_pairs(control={"cost_microusd": None})

    assert judged(REQUEST, pairs).finding.outcome is Outcome.PASS


def test_a_failure_that_was_billed_makes_what_was_delivered_dearer() -> None:
    candidate = {"outcome": mostly("ok", 400, bad_response=100), "cost_microusd": 1_000}

    found = judged(CHARS, some_pairs(candidate=candidate)).finding

    assert found.interval.estimate == pytest.approx(400 / 300)
    assert found.counts["candidate_delivered"] == 300


def test_a_failure_of_open_cost_is_booked_against_the_candidate() -> None:
    outcomes = mostly("ok", 400, bad_response=100)
    costs = [None] * 100 + [1_000] * 299 + [2_000]
    priced = {"outcome": outcomes, "cost_microusd": costs}

    at_candidate = judged(CHARS, some_pairs(candidate=priced)).finding
    at_control = judged(CHARS, some_pairs(control=priced)).finding

    assert at_candidate.interval.estimate == pytest.approx((100 * 2_000 + 299 * 1_000 + 2_000) / 300 / 1_000)
    assert at_control.interval.estimate == pytest.approx(1_000 / ((299 * 1_000 + 2_000) / 300))


def test_a_failure_that_is_surely_free_costs_nothing() -> None:
    candidate = {"outcome": mostly("ok", 400, rate_limited=100), "cost_microusd": [None] * 100 + [1_000] * 300}

    assert judged(CHARS, some_pairs(candidate=candidate)).finding.interval.estimate == pytest.approx(1.0)


def test_when_nothing_was_delivered_there_is_no_price() -> None:
    found = judged(REQUEST, some_pairs(candidate={"outcome": "overloaded"})).finding

    assert found.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("pairs", [0, 1])
def test_none_or_one_pair_prove_no_price(pairs: int) -> None:
    assert judged(REQUEST, some_pairs(pairs)).finding.outcome is Outcome.INCONCLUSIVE
