import math
import tracemalloc
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from analysis.estimates import Bootstrap, Tail, order_statistic
from analysis.evalues import log_e_fail, log_e_pass, proof_at
from analysis.pairs import Counts

ALPHA = 0.05


@pytest.mark.parametrize(
    ("values", "quantile", "expected"),
    [
        pytest.param([], 0.95, None, id="none"),
        pytest.param([3.0], 0.95, 3.0, id="one"),
        pytest.param([1.0, 2.0, 3.0, 4.0], 0.5, 2.0, id="half"),
        pytest.param([1.0, 2.0, 2.0, 2.0], 0.95, 2.0, id="ties"),
        pytest.param([1.0, 2.0, math.inf], 0.95, 2.0, id="the greatest finite"),
        pytest.param([math.inf, math.inf], 0.95, None, id="nothing finite"),
    ],
)
def test_a_quantile_is_a_value_that_was_seen(values: list[float], quantile: float, expected: float | None) -> None:
    assert order_statistic(np.array(values), quantile) == expected


def test_a_tail_counts_by_the_definition() -> None:
    random = np.random.default_rng(3)
    control, candidate = random.exponential(size=(2, 500))
    tail = Tail(control, candidate, 0.9)
    reference = tail.reference_s or 0.0

    counts = tail.counts(1.2)

    slow, slow_control = candidate > 1.2 * reference, control > reference
    assert counts == Counts(
        pairs=500,
        candidate_only=int((slow & ~slow_control).sum()),
        control_only=int((slow_control & ~slow).sum()),
        both=int((slow & slow_control).sum()),
    )


def test_a_value_at_the_reference_is_not_slow() -> None:
    tail = Tail(np.ones(100), np.ones(100), 0.95)

    assert tail.counts(1.0) == Counts(100, 0, 0, 0)


def test_timeouts_exceed_every_limit_even_where_control_times_out_too_often_to_have_a_quantile() -> None:
    control = np.array([1.0] * 90 + [math.inf] * 10)
    candidate = np.array([1.0] * 80 + [math.inf] * 20)

    tail = Tail(control, candidate, 0.95)

    assert tail.reference_s == 1.0
    assert tail.counts(100.0) == Counts(100, 10, 0, 10)


def test_a_control_that_only_times_out_gives_no_ratio() -> None:
    tail = Tail(np.full(100, math.inf), np.ones(100), 0.95)

    assert tail.ratio(ALPHA).estimate is None
    assert tail.counts(1.0) == Counts(100, 0, 0, 0)


def test_the_ends_of_a_ratio_are_where_proof_begins() -> None:
    random = np.random.default_rng(4)
    control, candidate = np.exp(0.4 * random.standard_normal((2, 3000)))
    tail = Tail(control, candidate, 0.95)

    interval = tail.ratio(ALPHA)

    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < 1.0 < interval.high
    above, below = tail.counts(interval.high * 1.001), tail.counts(interval.low * 0.999)
    assert log_e_pass(above.candidate_only, above.control_only, above.pairs, 0.0) >= proof_at(ALPHA)
    assert log_e_fail(below.candidate_only, below.control_only, below.pairs, 0.0) >= proof_at(ALPHA)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_calls_are_counted_at_any_ratio_far_below_the_slow_ones_too(quantile: float) -> None:
    random = np.random.default_rng(7)
    control, candidate = random.exponential(1.0, (2, 500)).round(2)  # with ties
    candidate[:3] = math.inf
    tail = Tail(control, candidate, quantile)
    reference_s = tail.reference_s
    assert reference_s is not None

    for ratio in (0.001, 0.3, 0.9, 1.0, 1.1, 3.0, 1000.0):
        slow, late = control > reference_s, candidate > ratio * reference_s
        expected = Counts(500, int((late & ~slow).sum()), int((slow & ~late).sum()), int((late & slow).sum()))
        assert tail.counts(ratio) == expected


def test_few_pairs_leave_the_ratio_open() -> None:
    tail = Tail(np.arange(1.0, 21.0), np.arange(1.0, 21.0), 0.95)

    interval = tail.ratio(ALPHA)

    assert interval.estimate == 1.0
    assert interval.high is None


def test_a_reference_taken_from_the_same_calls_keeps_the_promised_error() -> None:
    random = np.random.default_rng(5)
    outcomes = []
    for _ in range(300):
        control = np.exp(0.5 * random.standard_normal(1000))
        candidate = 1.1 * np.exp(0.5 * random.standard_normal(1000))  # exactly at the limit
        counts = Tail(control, candidate, 0.95).counts(1.1)
        figures = (counts.candidate_only, counts.control_only, counts.pairs, 0.0)
        outcomes.append((log_e_pass(*figures) >= proof_at(ALPHA), log_e_fail(*figures) >= proof_at(ALPHA)))

    passed, failed = np.mean(outcomes, axis=0)

    assert passed <= ALPHA
    assert failed <= ALPHA


def sums(pairs: int, clusters: int, *, cost: Iterator[float] | None = None) -> pl.DataFrame:
    random = np.random.default_rng(6)
    return pl.DataFrame(
        {
            "cluster": [f"voice-{index % clusters}" for index in range(pairs)],
            "cost": [next(cost) for _ in range(pairs)] if cost else random.uniform(50, 150, pairs).tolist(),
            "units": [100.0] * pairs,
        }
    )


def per_unit(each: np.ndarray) -> np.ndarray:  # type: ignore[type-arg] # any floats
    return each[0] / each[1]


def test_a_total_is_the_ratio_of_sums_with_draws_around_it() -> None:
    pairs = sums(400, 40)

    totals = Bootstrap(pairs, ["cost", "units"]).totals(per_unit)

    assert totals.estimate == pytest.approx(pairs["cost"].sum() / pairs["units"].sum())
    interval = totals.interval(ALPHA)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < 1.0 < interval.high


def test_the_same_pairs_in_another_order_give_the_same_draws() -> None:
    pairs = sums(400, 40)

    first, second = (
        Bootstrap(frame, ["cost", "units"]).totals(per_unit)
        for frame in (pairs, pairs.sample(fraction=1, shuffle=True, seed=1))
    )

    np.testing.assert_allclose(first.draws, second.draws, rtol=1e-12)


def test_costs_that_hang_together_by_voice_are_less_certain() -> None:
    together = sums(400, 40, cost=iter([50.0 + 100.0 * (index % 40 < 20) for index in range(400)]))
    apart = together.with_columns(cluster=pl.int_range(pl.len()).cast(pl.String))

    wide, narrow = (Bootstrap(frame, ["cost", "units"]).totals(per_unit).draws.std() for frame in (together, apart))

    assert wide > 2.5 * narrow


def test_intervals_of_a_total_cover_the_truth() -> None:
    random = np.random.default_rng(9)
    covered = []
    for _ in range(80):
        per_voice = random.gamma(4.0, 25.0, size=50)
        pairs = pl.DataFrame({"cluster": [str(voice) for voice in range(50)], "cost": per_voice, "units": [100.0] * 50})
        high = Bootstrap(pairs, ["cost", "units"]).totals(per_unit).interval(ALPHA).high
        covered.append(high is not None and high >= 1.0)

    assert 0.85 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize("clusters", [1, 4])
def test_with_few_voices_requests_are_drawn(clusters: int) -> None:
    totals = Bootstrap(sums(100, clusters), ["cost", "units"]).totals(per_unit)

    assert totals.draws.std() > 0.0


def test_very_many_clusters_are_dealt_into_groups_without_losing_any() -> None:
    pairs = sums(5000, 5000)

    totals = Bootstrap(pairs, ["cost", "units"]).totals(per_unit)

    assert totals.estimate == pytest.approx(pairs["cost"].sum() / pairs["units"].sum())
    spread = pairs["cost"].to_numpy().std() / 100 / math.sqrt(5000)
    assert totals.draws.std() == pytest.approx(spread, rel=0.15)


def test_very_many_requests_of_a_few_voices_are_drawn_in_little_memory_and_spread_as_they_should() -> None:
    pairs = sums(20_000, 3)

    tracemalloc.start()
    totals = Bootstrap(pairs, ["cost", "units"]).totals(per_unit)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most_bytes < 20_000_000
    assert totals.estimate == pytest.approx(pairs["cost"].sum() / pairs["units"].sum())
    spread = pairs["cost"].to_numpy().std() / 100 / math.sqrt(20_000)
    assert totals.draws.std() == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_or_one_pair_has_no_interval(count: int) -> None:
    interval = Bootstrap(sums(count, 40), ["cost", "units"]).totals(per_unit).interval(ALPHA)

    assert (interval.low, interval.high) == (None, None)
    assert (interval.estimate is None) == (count == 0)


def test_without_anything_delivered_there_is_no_price() -> None:
    nothing = sums(100, 40).with_columns(units=pl.lit(0.0))

    assert Bootstrap(nothing, ["cost", "units"]).totals(per_unit).estimate is None


def test_distance_from_a_limit_is_told_in_deviations() -> None:
    noisy = Bootstrap(sums(400, 40), ["cost", "units"]).totals(per_unit)
    exact = Bootstrap(sums(400, 40, cost=iter([100.0] * 400)), ["cost", "units"]).totals(per_unit)

    assert 0.0 < noisy.deviations_above(0.5 * (noisy.estimate or 0)) < math.inf
    assert noisy.deviations_above(2.0) < 0.0
    assert exact.deviations_above(0.5) == math.inf
