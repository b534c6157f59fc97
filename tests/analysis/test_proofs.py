import numpy as np
import pytest

from analysis.estimates import Tail, Totals
from analysis.pairs import Counts
from analysis.proofs import Bar, more_pairs, prove_paired, prove_share, prove_tail, prove_total
from harness.judgement import Outcome

BAR = Bar(alpha=0.05, family=30)


def test_few_extra_failures_pass_many_fail_and_some_stay_open() -> None:
    outcomes = [prove_paired(Counts(1000, worse, 3, 2), 2.0, BAR).outcome for worse in (3, 25, 90)]

    assert outcomes == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]


def test_a_fail_needs_more_evidence_when_many_claims_could_fail() -> None:
    counts = Counts(400, 30, 2, 0)

    alone = prove_paired(counts, 3.0, Bar(alpha=0.05, family=1))
    among_many = prove_paired(counts, 3.0, Bar(alpha=0.05, family=1000))

    assert alone.outcome is Outcome.FAIL
    assert among_many.outcome is Outcome.INCONCLUSIVE


def test_words_and_numbers_say_the_same() -> None:
    proof = prove_paired(Counts(1000, 90, 3, 2), 2.0, BAR)

    assert proof.interval.estimate == pytest.approx(8.7)
    assert proof.interval.low is not None
    assert proof.interval.low > 2.0
    assert proof.words.startswith(f"at least +{proof.interval.low:.2f} pp against control, limit +2.00 pp")
    assert "candidate alone 90, control alone 3, both 2 of 1,000 pairs" in proof.words
    assert proof.strength > 0.0


def test_an_interval_keeps_its_limit_exactly_when_the_claim_passes() -> None:
    for worse in range(40):
        proof = prove_paired(Counts(600, worse, 4, 0), 3.0, BAR)

        assert (proof.outcome is Outcome.PASS) == ((proof.interval.high or 0) <= 3.0), worse


def test_an_open_claim_forecasts_a_range_of_pairs() -> None:
    forecast = prove_paired(Counts(400, 2, 2, 0), 1.0, BAR).forecast

    assert forecast is not None
    assert forecast.pairs_low is not None
    assert forecast.pairs_high is not None
    assert 0 < forecast.pairs_low < forecast.pairs_high
    assert forecast.text == f"needs about {forecast.pairs_low:,} to {forecast.pairs_high:,} more pairs"


def test_an_open_claim_at_too_high_a_rate_will_not_pass() -> None:
    forecast = prove_paired(Counts(400, 10, 2, 0), 1.0, BAR).forecast

    assert forecast is not None
    assert forecast.text == "will not pass at this rate"
    assert forecast.pairs_high is None


@pytest.mark.parametrize("pairs", [0, 2, 49])
def test_next_to_no_pairs_stay_open_without_a_forecast(pairs: int) -> None:
    proof = prove_paired(Counts(pairs, 0, 0, 0), 1.0, BAR)

    assert proof.outcome is Outcome.INCONCLUSIVE
    assert proof.forecast is None


def test_a_share_is_judged_without_control() -> None:
    outcomes = [prove_share(bad, 1000, 2.0, BAR).outcome for bad in (2, 20, 60)]

    assert outcomes == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]
    assert prove_share(60, 1000, 2.0, BAR).words.endswith("60 of 1,000 requests")


def test_a_tail_passes_when_faster_and_fails_when_slower() -> None:
    random = np.random.default_rng(1)
    control, noise = np.exp(0.4 * random.standard_normal((2, 600)))

    proofs = {factor: prove_tail(Tail(control, factor * noise, 0.95), 0.95, 1.1, BAR) for factor in (0.5, 1.05, 2.0)}

    assert [proof.outcome for proof in proofs.values()] == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]
    assert proofs[2.0].interval.low is not None
    assert proofs[2.0].interval.low > 1.1
    assert "p95 at least" in proofs[2.0].words


def test_a_total_passes_by_its_upper_and_fails_by_its_lower_bound() -> None:
    random = np.random.default_rng(2)
    totals = Totals(1.0, random.normal(1.0, 0.05, 4000))

    outcomes = [prove_total(totals, limit, "ratio", 400, BAR).outcome for limit in (1.2, 1.02, 0.7)]

    assert outcomes == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]


def test_a_fail_of_a_total_is_stronger_the_further_it_is_beyond_its_limit() -> None:
    totals = Totals(1.0, np.random.default_rng(2).normal(1.0, 0.05, 4000))

    near, far = (prove_total(totals, limit, "ratio", 400, BAR) for limit in (0.7, 0.5))

    assert far.strength > near.strength > 0.0


def test_a_price_that_equals_its_limit_keeps_it() -> None:
    totals = Totals(0.1 + 0.2, np.full(4000, 0.1 + 0.2))

    assert prove_total(totals, 0.3, "usd_per_request", 400, BAR).outcome is Outcome.PASS


def test_an_open_total_forecasts_by_the_root_of_the_pairs() -> None:
    totals = Totals(1.0, np.random.default_rng(2).normal(1.0, 0.05, 4000))

    forecast = prove_total(totals, 1.0411, "ratio", 400, BAR).forecast  # half of the 1.645 deviations above
    never = prove_total(totals, 0.99, "ratio", 400, BAR).forecast

    assert forecast is not None
    assert forecast.pairs_low is not None
    assert forecast.pairs_high is not None
    assert forecast.pairs_low < 1200 < forecast.pairs_high
    assert never is not None
    assert never.text == "will not pass at this rate"


def test_a_total_without_figures_is_open() -> None:
    proof = prove_total(Totals(None, np.empty(0)), 1.0, "ratio", 3, BAR)

    assert proof.outcome is Outcome.INCONCLUSIVE


def test_a_known_number_of_pairs_is_said_exactly() -> None:
    assert more_pairs(280, 280).text == "needs 280 more pairs"
    assert more_pairs(1, 1).text == "needs 1 more pair"
