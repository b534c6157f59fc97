import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.intervals import bca, exact_share, order_statistics, tail_bootstrap, tango


def test_tango_has_a_width_where_no_pair_differs() -> None:
    # z² / (n + z²): the closed form for no discordant pair at all.
    assert tango(0, 0, 44, level=0.95) == pytest.approx((-0.0803, 0.0803), abs=1e-4)


@pytest.mark.parametrize(("worse", "better", "pairs"), [(9, 4, 200), (0, 7, 90), (30, 30, 400)])
def test_tango_ends_where_the_score_test_is_just_not_significant(worse: int, better: int, pairs: int) -> None:
    low, high = tango(worse, better, pairs, level=0.95)

    assert low is not None
    assert high is not None
    assert [constrained_z(worse, better, pairs, end) for end in (low, high)] == pytest.approx(
        [1.959964, -1.959964], abs=1e-4
    )


def constrained_z(worse: int, better: int, pairs: int, difference: float) -> float:
    """The score statistic by maximising the likelihood under the constraint numerically."""
    from scipy.optimize import minimize_scalar

    def loss(q: float) -> float:
        p = q + difference
        rest = 1.0 - p - q
        if min(p, q, rest) <= 0.0:
            return math.inf
        return -(worse * math.log(p) + better * math.log(q) + (pairs - worse - better) * math.log(rest))

    low, high = max(0.0, -difference), (1.0 - difference) / 2.0
    q = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return float((worse - better - pairs * difference) / math.sqrt(pairs * (2 * q + difference * (1 - difference))))


@pytest.mark.parametrize(("bad", "requests"), [(0, 100), (3, 100), (100, 100)])
def test_an_exact_share_is_what_statsmodels_says(bad: int, requests: int) -> None:
    expected = proportion_confint(bad, requests, alpha=0.05, method="beta")

    assert exact_share(bad, requests, level=0.95) == pytest.approx(expected, abs=1e-9, nan_ok=False)


def test_order_statistics_are_those_of_scipy() -> None:
    values = np.random.default_rng(1).exponential(size=500)

    expected = stats.quantile_test(values, p=0.95).confidence_interval(0.95)

    assert order_statistics(values, 0.95, level=0.95) == pytest.approx((expected.low, expected.high))


def test_a_p99_has_no_upper_end_below_368_values() -> None:
    values = np.arange(500, dtype=np.float64)

    assert order_statistics(values[:360], 0.99, level=0.95).high is None
    assert order_statistics(values, 0.99, level=0.95).high is not None


def test_a_timeout_is_no_upper_end() -> None:
    values = np.append(np.arange(199.0), math.inf)

    assert order_statistics(values, 0.99, level=0.5).high is None


def test_the_bootstrap_of_a_tail_is_the_one_of_all_pairs() -> None:
    random = np.random.default_rng(2)
    control, candidate = (np.exp(0.3 * random.standard_normal(3_000)) for _ in range(2))

    def ratio(theirs: np.ndarray, ours: np.ndarray, axis: int = -1) -> np.ndarray:
        found = [np.quantile(each, 0.95, axis=axis, method="inverted_cdf") for each in (ours, theirs)]
        return np.asarray(found[0] / found[1])

    whole = stats.bootstrap(
        (control, candidate), ratio, paired=True, n_resamples=2_000, method="percentile", rng=random
    ).confidence_interval
    found = tail_bootstrap(control, candidate, 0.95, level=0.95, draws=2_000, seed=3)

    assert found == pytest.approx((whole.low, whole.high), rel=0.02)


def test_a_tail_of_timeouts_has_no_end() -> None:
    control = np.linspace(1.0, 2.0, 400)
    candidate = np.where(np.arange(400) < 40, math.inf, control)

    assert tail_bootstrap(control, candidate, 0.95, level=0.95).high is None


def test_bca_is_the_one_of_scipy() -> None:
    values = np.random.default_rng(4).exponential(size=60)
    random = np.random.default_rng(5)

    draws = random.choice(values, size=(9_999, 60)).mean(axis=1)
    jackknife = (values.sum() - values) / 59.0
    expected = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=9_999, rng=random).confidence_interval

    assert bca(values.mean(), draws, jackknife, level=0.95) == pytest.approx((expected.low, expected.high), rel=0.02)


def test_nothing_measured_has_no_interval() -> None:
    empty = np.empty(0)

    assert tango(0, 0, 0, level=0.95) == (None, None)
    assert exact_share(0, 0, level=0.95) == (None, None)
    assert order_statistics(empty, 0.95, level=0.95) == (None, None)
    assert tail_bootstrap(empty, empty, 0.95, level=0.95) == (None, None)
    assert bca(0.0, empty, empty, level=0.95) == (None, None)
