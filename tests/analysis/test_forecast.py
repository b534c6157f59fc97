import pytest

from analysis.findings import Evaluated, unjudged
from analysis.forecast import Pace, priced
from analysis.gates import PairedBinary
from analysis.samples import take_sample
from analysis.thresholds import Stats
from harness.judgement import Forecast, Outcome
from harness.speech import Operation
from tests.builders import NOON
from tests.frames import some_noise, some_pairs

GATE = PairedBinary(kind="paired_binary", margin_pp=1.0)


def an_open_gate(forecast: Forecast | None) -> Evaluated:
    why = f"too few pairs; {forecast.text}" if forecast else "too few pairs"
    outcome = Outcome.INCONCLUSIVE
    return unjudged("errors", GATE, Operation.GENERATE, outcome=outcome, why=why, counts={}, forecast=forecast)


def needing(low: int | None, high: int | None, **more: int) -> Forecast:
    return Forecast(pairs_low=low, pairs_high=high, text=f"needs {low} to {high} more pairs", **more)  # type: ignore[arg-type] # nights


def test_a_need_is_told_in_money_and_nights_too() -> None:
    finding = priced(an_open_gate(needing(1_000, 9_000)), Pace(0.002, 500.0)).finding

    assert finding.forecast is not None
    assert (finding.forecast.usd_low, finding.forecast.usd_high) == (2.0, 18.0)
    assert (finding.forecast.nights_low, finding.forecast.nights_high) == (2, 18)
    assert finding.forecast.text == (
        "needs 1000 to 9000 more pairs ($2.00 to $18.00, 2 to 18 nights at the present price and pace)"
    )
    assert finding.reason.endswith(finding.forecast.text)


def test_days_that_are_missing_are_nights_that_are_needed() -> None:
    forecast = priced(an_open_gate(needing(10, 10, nights_low=2)), Pace(0.002, 500.0)).finding.forecast

    assert forecast is not None
    assert (forecast.nights_low, forecast.nights_high) == (2, 2)
    assert "2 nights" in forecast.text


@pytest.mark.parametrize(
    "forecast",
    [
        pytest.param(None, id="settled"),
        pytest.param(needing(None, None), id="will not pass"),
    ],
)
def test_what_no_number_of_pairs_would_settle_stays_as_it_is(forecast: Forecast | None) -> None:
    before = an_open_gate(forecast)

    assert priced(before, Pace(0.002, 500.0)) == before


def test_an_unknown_price_is_left_out_rather_than_taken_for_nothing() -> None:
    forecast = priced(an_open_gate(needing(1_000, 9_000)), Pace(None, 500.0)).finding.forecast

    assert forecast is not None
    assert forecast.usd_low is None
    assert "$" not in forecast.text


def test_a_pace_holds_all_lanes_and_the_nights_they_took() -> None:
    pairs = some_pairs(400, control={"cost_microusd": 3_000}, candidate={"cost_microusd": 1_000})
    noise = some_noise(100, repeat={"cost_microusd": 4_000})
    sample = take_sample(pairs, Operation.GENERATE, Stats(), as_of=NOON)

    pace = Pace.of(sample, noise)

    assert pace == pytest.approx((0.005, 400.0))


def test_a_lane_without_any_price_has_no_pace_in_money() -> None:
    sample = take_sample(some_pairs(candidate={"cost_microusd": None}), Operation.GENERATE, Stats(), as_of=NOON)

    assert Pace.of(sample, some_noise(0)).usd_per_pair is None
