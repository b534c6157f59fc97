import pytest
from pydantic import ValidationError

from analysis.gates import (
    AUDIO_FEATURES,
    TIMINGS,
    Condition,
    PairedAny,
    PairedBand,
    PairedBinary,
    PairedExceed,
    PairedTail,
    RatioOfTotals,
)
from harness.store.schema import TABLES


def test_a_gate_may_use_every_number_that_is_measured_or_timed() -> None:
    assert {"duration_s", "clipped_share", "active_share", "longest_silence_s"} <= set(AUDIO_FEATURES)
    assert "mfcc_mean" not in AUDIO_FEATURES
    assert set(TIMINGS) <= set(TABLES["exchanges"].names)


def test_an_exceeding_feature_is_one_condition() -> None:
    gate = PairedExceed(kind="paired_exceed", feature="clipped_share", above=0.001, margin_pp=1.0)

    assert gate.conditions == (Condition(feature="clipped_share", above=0.001),)
    assert gate.features == {"clipped_share"}


def test_a_gate_counts_a_claim_for_each_of_its_limits() -> None:
    gates = [
        PairedBinary(kind="paired_binary", margin_pp=1.0),
        PairedBinary(kind="paired_binary", margin_pp=1.0, abs_max_pct=2.0),
        PairedTail(kind="paired_tail", ratio_max=1.1),
        PairedTail(kind="paired_tail", ratio_max=1.1, abs_max_s=8.0),
        RatioOfTotals(kind="ratio_of_totals", per="request", ratio_max=1.0, abs_max_usd=0.1),
        PairedBand(kind="paired_band", feature="duration_s", low=0.8, high=1.25, margin_pp=1.0),
    ]

    assert [gate.claims for gate in gates] == [1, 2, 1, 2, 2, 1]


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        pytest.param({}, "exactly one limit", id="none"),
        pytest.param({"above": 1.0, "below": 0.1}, "exactly one limit", id="two"),
        pytest.param({"limit_of_control_p95": 2.0}, "is for timings", id="a multiple for audio"),
        pytest.param({"ratio_low": 0.5}, "one end of a band", id="half a band"),
    ],
)
def test_a_condition_has_one_limit_that_fits(limits: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Condition(feature="duration_s", **limits)


def test_equal_audio_must_lie_inside_a_band() -> None:
    with pytest.raises(ValidationError, match="low < 1 < high"):
        PairedBand(kind="paired_band", feature="duration_s", low=1.1, high=1.5, margin_pp=1.0)


def test_conditions_that_add_up_are_about_audio() -> None:
    with pytest.raises(ValidationError, match="service_s is a timing"):
        PairedAny(kind="paired_any", any=(Condition(feature="service_s", above=2.0),), margin_pp=1.0)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: PairedBinary(kind="paired_binary"), id="paired_binary"),
        pytest.param(lambda: RatioOfTotals(kind="ratio_of_totals", per="request"), id="ratio_of_totals"),
    ],
)
def test_a_gate_without_any_limit_is_refused(make: object) -> None:
    with pytest.raises(ValidationError, match="sets no limit"):
        make()  # type: ignore[operator] # a lambda
