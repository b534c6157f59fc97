from datetime import timedelta

import polars as pl
import pytest

from analysis.samples import Sample, shortfall, take_sample
from analysis.thresholds import Stats
from harness.speech import Operation
from tests.builders import NOON
from tests.frames import mostly, some_pairs

STATS = Stats(min_pairs=300, min_voices=20, min_days=2, max_age_days=45)


def sampled(pairs: pl.DataFrame, *, operation: Operation = Operation.GENERATE, stats: Stats = STATS) -> Sample:
    return take_sample(pairs, operation, stats, as_of=NOON + timedelta(hours=1))


def left_out(sample: Sample) -> int:
    asked = sample.unsent + sample.unanswered + sample.too_old
    return asked + sample.enrolled_anew + sample.repeated + sample.over_voice_cap


def test_answered_pairs_of_the_operation_are_the_evidence() -> None:
    both = pl.concat([some_pairs(30), some_pairs(20, operation="clone")])

    sample = sampled(both)

    assert (sample.planned, sample.pairs.height, left_out(sample)) == (30, 30, 0)
    assert (sample.voices, sample.days, sample.completeness) == (30, 1, 1.0)


def test_a_failure_of_the_provider_is_an_answer() -> None:
    sample = sampled(some_pairs(100, candidate={"outcome": mostly("ok", 100, overloaded=20, rate_limited=20)}))

    assert sample.completeness == 1.0


def test_what_was_sent_and_never_answered_makes_the_sample_incomplete() -> None:
    candidate = {"outcome": mostly("ok", 100, internal=3, auth=2)}

    sample = sampled(some_pairs(100, candidate=candidate))

    assert sample.unanswered == 5
    assert sample.completeness == pytest.approx(0.95)


def test_what_was_held_back_in_both_lanes_is_not_missing() -> None:
    held_back = {"outcome": mostly("ok", 100, budget=40), "attempts": [0] * 40 + [1] * 60}

    both = sampled(some_pairs(100, control=held_back, candidate=held_back))
    one = sampled(some_pairs(100, candidate=held_back))

    assert (both.unsent, both.completeness) == (40, 1.0)
    assert (one.unsent, one.unanswered) == (0, 40)


def test_the_same_capture_again_is_no_new_evidence() -> None:
    first, again = some_pairs(50), some_pairs(50, run_id="run-2", candidate={"outcome": "overloaded"})
    later = again.with_columns(pl.col("candidate_sent_at") + timedelta(minutes=20))

    for frames in ([first, later], [later, first]):
        sample = sampled(pl.concat(frames))

        assert (sample.pairs.height, sample.repeated) == (50, 50)
        assert set(sample.pairs["run_id"]) == {"run-1"}


def test_evidence_that_is_too_old_is_left_out() -> None:
    sent = [NOON - timedelta(days=46)] * 10 + [NOON - timedelta(days=44)] * 20

    sample = sampled(some_pairs(30, candidate={"sent_at": sent}))

    assert (sample.pairs.height, sample.too_old, sample.days) == (20, 10, 1)


def test_a_voice_may_not_outweigh_the_others_where_voices_are_the_matter() -> None:
    pairs = some_pairs(100, operation="clone", voice_id=["anna"] * 70 + [f"voice-{index}" for index in range(30)])

    clone = sampled(pairs, operation=Operation.CLONE)
    generate = sampled(pairs.with_columns(operation=pl.lit("generate")))

    assert (clone.pairs.height, clone.over_voice_cap) == (50, 50)
    assert (generate.pairs.height, generate.over_voice_cap) == (100, 0)
    # The earliest stay, whatever came of them.
    assert clone.pairs.filter(pl.col("voice_id") == "anna")["capture_id"].to_list() == [f"clone-{i}" for i in range(20)]


def test_the_numbers_always_add_up() -> None:
    candidate = {"outcome": mostly("ok", 90, internal=3, budget=5), "attempts": [1] * 3 + [0] * 5 + [1] * 82}
    pairs = pl.concat([some_pairs(90, operation="clone", voice_id="anna", candidate=candidate)] * 2)

    sample = sampled(pairs, operation=Operation.CLONE)

    assert sample.planned == 180 == left_out(sample) + sample.pairs.height


def test_nothing_planned_is_an_empty_sample() -> None:
    sample = sampled(some_pairs(0))

    assert (sample.planned, sample.completeness, sample.voices, sample.days) == (0, None, 0, 0)


def test_enough_pairs_voices_and_days_lack_nothing() -> None:
    days = [NOON - timedelta(days=index % 2) for index in range(300)]
    pairs = some_pairs(300, operation="clone", candidate={"sent_at": days})

    assert shortfall(sampled(pairs, operation=Operation.CLONE), STATS) is None


def test_what_is_lacking_is_named_with_how_much() -> None:
    few = some_pairs(20, operation="design", voice_id=[f"voice-{index % 8}" for index in range(20)])

    lacking = shortfall(sampled(few, operation=Operation.DESIGN), STATS)

    assert lacking is not None
    assert lacking.why == "20 pairs of at least 300, 8 voices of at least 20, sent on 1 day of at least 2"
    assert (lacking.pairs, lacking.further) == (280, "12 more voices and 1 more day")


def test_generate_needs_no_number_of_voices() -> None:
    pairs = some_pairs(300, voice_id="Cherry")

    lacking = shortfall(sampled(pairs), STATS.model_copy(update={"min_days": 1}))

    assert lacking is None


def enrolled(count: int, voice: str | None, **columns: object) -> pl.DataFrame:
    """Pairs of one voice under the candidate's own name for it."""
    return some_pairs(count, candidate={"voice": voice}, voice_id="anna", **columns)


def later(pairs: pl.DataFrame, minutes: int) -> pl.DataFrame:
    return pairs.with_columns(pl.col("^.*_sent_at$") + timedelta(minutes=minutes))


class TestAVoiceThatWasEnrolledAnew:
    OLD = enrolled(30, "qwen-anna-1")
    NEW = later(enrolled(20, "qwen-anna-2", run_id="run-2", capture_id=[f"new-{index}" for index in range(20)]), 10)

    def test_begins_its_evidence_anew(self) -> None:
        sample = sampled(pl.concat([self.OLD, self.NEW]))

        assert (sample.enrolled_anew, sample.pairs.height) == (30, 20)
        assert set(sample.pairs["candidate_voice"]) == {"qwen-anna-2"}
        assert left_out(sample) + sample.pairs.height == sample.planned == 50

    def test_leaves_the_evidence_of_other_voices_alone(self) -> None:
        others = some_pairs(40, capture_id=[f"other-{index}" for index in range(40)])

        sample = sampled(pl.concat([self.OLD, self.NEW, others]))

        assert (sample.enrolled_anew, sample.pairs.height) == (30, 60)

    def test_is_judged_by_the_enrolment_that_spoke_last_even_if_another_spoke_in_between(self) -> None:
        between = self.NEW.with_columns(pl.col("^.*_sent_at$") - timedelta(minutes=10))

        sample = sampled(pl.concat([self.OLD, between]))

        assert (sample.enrolled_anew, sample.pairs.height) == (20, 30)

    def test_keeps_the_failures_of_its_own_time_though_they_name_no_voice(self) -> None:
        failed = {"outcome": "overloaded", "voice": None}
        before = later(some_pairs(5, voice_id="anna", candidate=failed, capture_id=list("abcde")), 5)
        after = later(some_pairs(7, voice_id="anna", candidate=failed, capture_id=list("fghijkl")), 15)

        sample = sampled(pl.concat([self.OLD, before, self.NEW, after]))

        assert (sample.enrolled_anew, sample.pairs.height) == (35, 27)
        assert sample.pairs["candidate_outcome"].cast(pl.String).value_counts().sort("count").rows() == [
            ("overloaded", 7),
            ("ok", 20),
        ]

    def test_does_not_depend_on_the_order_of_rows(self) -> None:
        both = pl.concat([self.OLD, self.NEW])

        assert sampled(both.reverse()).pairs.sort("capture_id").equals(sampled(both).pairs.sort("capture_id"))

    def test_a_voice_made_anew_for_every_call_is_the_operation_itself(self) -> None:
        made = some_pairs(30, operation="clone", voice_id="anna", candidate={"voice": None})

        assert sampled(made, operation=Operation.CLONE).enrolled_anew == 0
