import math

import polars as pl
import pytest

from analysis.gates import Condition
from analysis.pairs import (
    NO_ANSWER,
    OUTCOME_CLASSES,
    Counts,
    answered,
    bad,
    count_pairs,
    delivered,
    ended_as,
    flags_of,
    heard,
    is_sent,
    seconds,
    spoiled,
    timed,
    unmeasured,
)
from harness.errors import KINDS, ErrorKind
from tests.frames import some_pairs


def test_every_kind_of_failure_belongs_to_exactly_one_class() -> None:
    classes = [OUTCOME_CLASSES["errors"], OUTCOME_CLASSES["refusals"], OUTCOME_CLASSES["rate_limited"], NO_ANSWER]

    assert sorted(kind for kinds in classes for kind in kinds) == sorted(KINDS)
    assert set(OUTCOME_CLASSES["timeouts"]) < set(OUTCOME_CLASSES["errors"])


def test_a_refusal_is_a_request_without_audio_that_is_nobodys_fault() -> None:
    assert ErrorKind.CONTENT_BLOCKED in OUTCOME_CLASSES["refusals"]
    assert ErrorKind.OVERLOADED not in OUTCOME_CLASSES["refusals"]


@pytest.mark.parametrize(
    ("outcome", "attempts", "sent", "is_answered"),
    [
        pytest.param("ok", 1, True, True, id="audio"),
        pytest.param("overloaded", 3, True, True, id="an error is an answer"),
        pytest.param("rate_limited", 1, True, True, id="so is a rate limit"),
        pytest.param("timeout_connect", 1, True, True, id="and a timeout"),
        pytest.param("budget", 0, False, False, id="held back by the budget"),
        pytest.param("unknown_outcome", 1, True, True, id="a connection that broke before any answer"),
        pytest.param("auth", 1, True, False, id="our key was refused"),
        pytest.param(None, None, False, False, id="no row"),
    ],
)
def test_what_counts_as_sent_and_answered(
    outcome: str | None, attempts: int | None, sent: bool, is_answered: bool
) -> None:
    pairs = some_pairs(1, candidate={"outcome": outcome, "attempts": attempts})

    assert pairs.select(is_sent("candidate"), answered("candidate").alias("answered")).row(0) == (sent, is_answered)


def test_what_was_under_way_when_our_own_run_was_killed_says_nothing_about_the_provider() -> None:
    pairs = some_pairs(2, candidate={"outcome": "unknown_outcome", "service_s": [0.4, None]})

    assert pairs.select(answered("candidate")).to_series().to_list() == [True, False]


def test_time_and_audio_are_compared_where_both_sides_have_some() -> None:
    outcomes = ["ok", "timeout_read", "overloaded", "rate_limited", "empty_audio"]
    pairs = some_pairs(5, candidate={"outcome": outcomes})

    assert pairs.select(timed("control", "candidate")).to_series().to_list() == [True, True, False, False, False]
    assert pairs.select(heard("control", "candidate")).to_series().to_list() == [True, False, False, False, False]
    assert pairs.select(delivered("control", "candidate")).to_series().to_list() == [True, False, False, False, True]


def test_a_timeout_and_a_missing_time_are_the_slowest() -> None:
    pairs = some_pairs(3, candidate={"outcome": ["ok", "timeout_total", "ok"], "service_s": [0.7, 0.1, None]})

    assert pairs.select(seconds("candidate", "service_s")).to_series().to_list() == [0.7, math.inf, math.inf]


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        pytest.param(Condition(feature="clipped_share", above=0.1), 0.1, False, id="at the limit"),
        pytest.param(Condition(feature="clipped_share", above=0.1), 0.11, True, id="above"),
        pytest.param(Condition(feature="clipped_share", below=0.1), 0.09, True, id="below"),
        pytest.param(Condition(feature="clipped_share", above=0.1), None, True, id="null is bad"),
        pytest.param(Condition(feature="clipped_share", above=0.1), math.nan, True, id="so is no number"),
    ],
)
def test_a_feature_beyond_its_limit_is_bad(condition: Condition, value: float | None, expected: bool) -> None:
    pairs = some_pairs(1, candidate={"clipped_share": value})

    assert pairs.select(bad(condition, "candidate", against="control")).item() is expected


@pytest.mark.parametrize("outcome", ["empty_audio", "bad_audio", None])
def test_audio_that_cannot_be_used_is_bad_on_whichever_side(outcome: str | None) -> None:
    condition = Condition(feature="clipped_share", above=0.1)
    pairs = some_pairs(1, candidate={"audio_outcome": outcome}, control={"audio_outcome": outcome})

    assert pairs.select(bad(condition, "candidate", against="control")).item() is True
    assert pairs.select(bad(condition, "control", against=None)).item() is True


def test_a_band_compares_with_control_and_blames_control_for_its_own_silence() -> None:
    band = Condition(feature="duration_s", ratio_low=0.8, ratio_high=1.25)
    pairs = some_pairs(
        5,
        control={"duration_s": [4.0, 4.0, 4.0, 4.0, None]},
        candidate={"duration_s": [3.2, 5.0, 3.1, 5.1, 4.0]},
    )

    candidate = pairs.select(bad(band, "candidate", against="control")).to_series().to_list()
    control = pairs.select(bad(band, "control", against=None)).to_series().to_list()

    assert candidate == [False, False, True, True, False]
    assert control == [False, False, False, False, True]


def test_a_multiple_of_controls_quantile_is_a_limit_on_time() -> None:
    condition = Condition(feature="service_s", limit_of_control_p95=2.0)
    pairs = some_pairs(3, candidate={"service_s": [2.0, 2.1, 0.1], "outcome": ["ok", "ok", "timeout_read"]})

    slow = pairs.select(bad(condition, "candidate", against="control", control_p95_s=1.0)).to_series().to_list()
    unknown = pairs.select(bad(condition, "candidate", against="control", control_p95_s=None)).to_series().to_list()

    assert slow == [False, True, True]
    assert unknown == [False, False, False]


def test_not_measured_is_not_the_same_as_bad() -> None:
    candidate = {
        "outcome": ["ok", "ok", "ok", "empty_audio"],
        "audio_outcome": ["ok", "empty_audio", None, None],
        "first_byte_s": [0.1, None, None, None],
    }
    pairs = some_pairs(4, candidate=candidate)

    assert pairs.select(unmeasured("candidate", "duration_s")).to_series().to_list() == [False, False, True, False]
    assert pairs.select(unmeasured("candidate", "first_byte_s")).to_series().to_list() == [False, True, True, False]
    assert pairs.select(spoiled("candidate")).to_series().to_list() == [False, True, False, False]


def test_counts_tell_whose_fault_it_was() -> None:
    errors = OUTCOME_CLASSES["errors"]
    pairs = some_pairs(
        5,
        control={"outcome": ["ok", "overloaded", "overloaded", "ok", "ok"]},
        candidate={"outcome": ["overloaded", "ok", "tls", "ok", "dns"]},
    )

    counts = count_pairs(pairs, ended_as("candidate", errors), ended_as("control", errors))

    assert counts == Counts(pairs=5, candidate_only=2, control_only=1, both=1)
    assert counts.candidate_bad == 3


def test_pairs_that_are_not_among_those_looked_at_do_not_count() -> None:
    pairs = some_pairs(4, candidate={"duration_s": [1.0, 2.0, 3.0, 4.0]})

    counts = count_pairs(
        pairs, pl.col("candidate_duration_s") > 1.5, pl.lit(value=False), among=pl.col("candidate_duration_s") < 3.5
    )

    assert counts == Counts(pairs=3, candidate_only=2, control_only=0, both=0)


def test_no_pairs_count_nothing() -> None:
    errors = OUTCOME_CLASSES["errors"]

    assert count_pairs(some_pairs(0), ended_as("candidate", errors), ended_as("control", errors)) == Counts(0, 0, 0, 0)


def test_flags_tell_of_each_pair_what_the_counts_add_up() -> None:
    pairs = some_pairs(
        4, candidate={"outcome": ["tls", "tls", "ok", "tls"]}, control={"outcome": ["ok", "tls", "tls", "ok"]}
    )
    errors = OUTCOME_CLASSES["errors"]

    flags = flags_of(
        pairs, ended_as("candidate", errors), ended_as("control", errors), among=pl.int_range(pl.len()) < 3
    )

    assert flags.worse.tolist() == [True, False, False, False]
    assert flags.better.tolist() == [False, False, True, False]
    assert flags.counts == Counts(3, 1, 1, 1)
