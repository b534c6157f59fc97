import math
from dataclasses import replace

import pytest

from analysis.gates import Condition, PairedAny, PairedBand, PairedBinary, PairedExceed, PairedTail
from analysis.shares import judge_conditions, judge_outcomes, judge_tail
from harness.judgement import Outcome
from tests.frames import a_scene, mostly, some_noise, some_pairs, times

ERRORS = PairedBinary(kind="paired_binary", margin_pp=3.0, abs_max_pct=4.0)
SLOW = PairedTail(kind="paired_tail", quantile=0.95, ratio_max=1.1)
CLIPPING = PairedExceed(kind="paired_exceed", feature="clipped_share", above=0.001, margin_pp=3.0)
VERY_SLOW = PairedExceed(kind="paired_exceed", feature="service_s", limit_of_control_p95=2.0, margin_pp=3.0)
DURATION = PairedBand(kind="paired_band", feature="duration_s", low=0.8, high=1.25, margin_pp=3.0)


def judged(gate: object, pairs: object = None, **scene: object) -> tuple[Outcome, dict[str, int], str]:
    judges = {PairedBinary: judge_outcomes, PairedTail: judge_tail}
    judge = judges.get(type(gate), judge_conditions)  # type: ignore[call-overload] # a table of two
    finding = judge("the_gate", gate, a_scene(pairs, **scene)).finding
    return finding.outcome, dict(finding.counts), finding.reason


class TestOutcomes:
    def test_equal_lanes_pass(self) -> None:
        outcome, counts, _ = judged(ERRORS)

        assert outcome is Outcome.PASS
        assert counts == {"pairs": 400, "candidate_only": 0, "control_only": 0, "both": 0}

    def test_only_what_is_the_providers_fault_is_an_error(self) -> None:
        outcomes = mostly("ok", 400, overloaded=30, rate_limited=40, content_blocked=40)

        _, counts, _ = judged(ERRORS, some_pairs(candidate={"outcome": outcomes}))

        assert counts["candidate_only"] == 30

    @pytest.mark.parametrize(
        ("counts", "found"), [("errors", 12), ("timeouts", 5), ("refusals", 9), ("rate_limited", 3)]
    )
    def test_a_gate_counts_its_own_outcomes(self, counts: str, found: int) -> None:
        outcomes = mostly("ok", 400, timeout_read=5, tls=7, unsupported=9, rate_limited=3)
        gate = PairedBinary.model_validate({"kind": "paired_binary", "counts": counts, "margin_pp": 1.0})

        assert judged(gate, some_pairs(candidate={"outcome": outcomes}))[1]["candidate_only"] == found

    def test_extra_errors_fail_and_the_fixed_share_may_be_what_proves_it(self) -> None:
        gate = ERRORS.model_copy(update={"margin_pp": 7.0})

        outcome, _, reason = judged(gate, some_pairs(candidate={"outcome": mostly("ok", 400, overloaded=40)}))

        assert outcome is Outcome.FAIL
        assert "of the candidate's requests, limit 4.00 %; 40 of 400 requests" in reason

    def test_errors_that_control_has_too_fail_only_the_fixed_share(self) -> None:
        both = {"outcome": mostly("ok", 400, overloaded=60)}
        pairs = some_pairs(candidate=both, control=both)

        relative = judged(ERRORS.model_copy(update={"abs_max_pct": None}), pairs)
        absolute = judged(ERRORS, pairs)

        assert relative[0] is Outcome.PASS
        assert absolute[0] is Outcome.FAIL


class TestTail:
    def test_half_the_time_passes_and_twice_the_time_fails(self) -> None:
        outcomes = [
            judged(SLOW, some_pairs(candidate={"service_s": times(400, median_s=median_s, seed=9)}))[0]
            for median_s in (0.5, 2.0)
        ]

        assert outcomes == [Outcome.PASS, Outcome.FAIL]

    def test_a_timeout_is_the_slowest_call_whatever_its_clock_says(self) -> None:
        candidate = {"outcome": mostly("ok", 400, timeout_total=80), "service_s": 0.1}

        outcome, counts, _ = judged(SLOW, some_pairs(candidate=candidate))

        assert outcome is Outcome.FAIL
        assert counts["candidate_only"] + counts["both"] == 80

    def test_other_failures_leave_the_latency_pairs_and_are_counted(self) -> None:
        candidate = {"outcome": mostly("ok", 400, overloaded=80), "service_s": [99.0] * 80 + [0.3] * 320}

        outcome, counts, _ = judged(SLOW, some_pairs(candidate=candidate))

        assert outcome is Outcome.PASS
        assert (counts["pairs"], counts["left_out"]) == (320, 80)

    @pytest.mark.parametrize(("quantile", "fewest"), [(0.95, 80), (0.99, 400)])
    def test_a_quantile_is_not_judged_on_too_few_pairs(self, quantile: float, fewest: int) -> None:
        gate = SLOW.model_copy(update={"quantile": quantile})
        slow = {"service_s": 50.0}

        few = judged(gate, some_pairs(fewest - 1, candidate=slow))
        enough = judged(gate, some_pairs(fewest, candidate=slow))

        assert few[0] is Outcome.INCONCLUSIVE
        assert few[2] == f"the_gate is open: not judged on {fewest - 1} pairs; needs 1 more pair"
        assert enough[0] is Outcome.FAIL

    @pytest.mark.parametrize("pairs", [0, 2])
    def test_next_to_no_pairs_are_open(self, pairs: int) -> None:
        assert judged(SLOW, some_pairs(pairs))[0] is Outcome.INCONCLUSIVE

    def test_a_fixed_limit_in_seconds_holds_beside_the_ratio(self) -> None:
        gate = SLOW.model_copy(update={"abs_max_s": 0.4})

        outcome, _, reason = judged(gate)

        assert outcome is Outcome.FAIL
        assert "longer than 0.40 s" in reason

    def test_identical_times_prove_nothing_either_way(self) -> None:
        same = times(400)

        outcome, _, _ = judged(SLOW, some_pairs(control={"service_s": same}, candidate={"service_s": same}))

        assert outcome is Outcome.INCONCLUSIVE

    def test_a_timing_that_was_not_taken_makes_the_gate_invalid(self) -> None:
        gate = SLOW.model_copy(update={"feature": "first_byte_s"})
        missing = {"first_byte_s": [None] * 9 + [0.1] * 391}

        outcome, counts, reason = judged(gate, some_pairs(candidate=missing))

        assert outcome is Outcome.INVALID
        assert counts["unmeasured"] == 9
        assert "first_byte_s is missing" in reason


class TestConditions:
    def test_a_small_share_of_very_slow_calls_is_caught_where_the_tail_sees_none(self) -> None:
        candidate_s = [9.0] * 18 + times(382)
        pairs = some_pairs(control={"service_s": times(400)}, candidate={"service_s": candidate_s})
        gate = VERY_SLOW.model_copy(update={"margin_pp": 0.5})

        assert judged(gate, pairs)[0] is Outcome.FAIL
        assert judged(SLOW, pairs)[0] is not Outcome.FAIL

    def test_the_limit_is_frozen_at_controls_own_quantile(self) -> None:
        pairs = some_pairs(control={"service_s": 1.0}, candidate={"service_s": [2.0] * 200 + [2.01] * 200})

        _, counts, reason = judged(VERY_SLOW, pairs)

        assert counts["candidate_only"] == 200
        assert "service_s above 2.00 s (2 times control's p95)" in reason

    @pytest.mark.parametrize(
        ("side", "column"), [("candidate", "candidate_only"), ("control", "control_only")], ids=["candidate", "control"]
    )
    @pytest.mark.parametrize("audio_outcome", ["empty_audio", "bad_audio"])
    def test_audio_that_cannot_be_used_is_bad_on_its_own_side(self, side: str, column: str, audio_outcome: str) -> None:
        spoilt = {"audio_outcome": mostly("ok", 400, **{audio_outcome: 40})}
        pairs = some_pairs(**{side: spoilt})  # type: ignore[arg-type] # one of the two sides

        for gate in (CLIPPING, DURATION):
            assert judged(gate, pairs)[1][column] == 40

    def test_a_feature_that_could_not_be_had_is_bad(self) -> None:
        pairs = some_pairs(candidate={"clipped_share": [None] * 30 + [0.0] * 370})

        assert judged(CLIPPING, pairs)[1]["candidate_only"] == 30

    def test_a_pair_with_a_failed_exchange_is_left_out_and_counted(self) -> None:
        candidate = {"outcome": mostly("ok", 400, overloaded=50), "audio_outcome": [None] * 50 + ["ok"] * 350}

        _, counts, _ = judged(CLIPPING, some_pairs(candidate=candidate))

        assert (counts["pairs"], counts["left_out"]) == (350, 50)

    def test_audio_that_nobody_measured_makes_the_gate_invalid(self) -> None:
        nobody = {"audio_outcome": None}

        outcome, counts, reason = judged(CLIPPING, some_pairs(control=nobody, candidate=nobody))

        assert outcome is Outcome.INVALID
        assert counts == {"pairs": 400, "unmeasured": 400}
        assert "cutover extract" in reason

    def test_one_unmeasured_audio_in_many_is_bad_rather_than_invalid(self) -> None:
        pairs = some_pairs(candidate={"audio_outcome": [None] + ["ok"] * 399})

        outcome, counts, _ = judged(CLIPPING, pairs)

        assert outcome is Outcome.PASS
        assert counts["candidate_only"] == 1

    def test_a_truncated_audio_leaves_the_band(self) -> None:
        pairs = some_pairs(candidate={"duration_s": [1.0] * 60 + [3.3] * 340})

        outcome, counts, _ = judged(DURATION, pairs)

        assert outcome is Outcome.FAIL
        assert counts["candidate_only"] == 60

    def test_defects_of_several_kinds_add_up(self) -> None:
        gate = PairedAny(
            kind="paired_any",
            margin_pp=3.0,
            any=(
                Condition(feature="clipped_share", above=0.001),
                Condition(feature="duration_s", ratio_low=0.6, ratio_high=1.67),
            ),
        )
        candidate = {
            "clipped_share": [0.01] * 20 + [0.0] * 380,
            "duration_s": [3.0] * 20 + [1.0] * 20 + [3.0] * 360,
            "audio_outcome": ["ok"] * 40 + ["empty_audio"] * 20 + ["ok"] * 340,
        }
        pairs = some_pairs(candidate=candidate)

        outcome, counts, reason = judged(gate, pairs, family=30)

        assert outcome is Outcome.FAIL
        assert counts["candidate_only"] == 60
        assert reason.startswith("the_gate fails: no usable audio or clipped_share above 0.001 or duration_s outside")
        assert judged(CLIPPING, some_pairs(candidate={"clipped_share": candidate["clipped_share"]}), family=30)[
            0
        ] is not (Outcome.FAIL)

    def test_audio_refused_on_arrival_is_a_defect_where_defects_add_up(self) -> None:
        gate = PairedAny(kind="paired_any", margin_pp=3.0, any=(Condition(feature="clipped_share", above=0.001),))
        candidate = {
            "outcome": mostly("ok", 400, empty_audio=30, truncated_audio=10, overloaded=5),
            "audio_outcome": [None] * 45 + ["ok"] * 355,
        }
        pairs = some_pairs(candidate=candidate)

        outcome, counts, _ = judged(gate, pairs)

        assert outcome is Outcome.FAIL
        assert (counts["candidate_only"], counts["pairs"], counts["left_out"]) == (40, 395, 5)
        assert judged(CLIPPING, pairs)[1]["left_out"] == 45

    def test_controls_own_noise_stands_beside_the_candidates_count(self) -> None:
        noise = some_noise(100, repeat={"duration_s": [1.0] * 7 + [3.0] * 93})

        _, counts, _ = judged(DURATION, noise=noise)

        assert (counts["noise_pairs"], counts["noise_bad"]) == (100, 7)

    def test_when_nothing_was_heard_nothing_is_proven(self) -> None:
        outcome, counts, _ = judged(DURATION, some_pairs(candidate={"outcome": "overloaded"}))

        assert outcome is Outcome.INCONCLUSIVE
        assert (counts["pairs"], counts["left_out"]) == (0, 400)

    def test_without_any_finite_time_of_control_nothing_is_called_slow(self) -> None:
        pairs = some_pairs(control={"outcome": "timeout_read", "service_s": math.inf})

        outcome, counts, _ = judged(VERY_SLOW, pairs)

        assert outcome is not Outcome.FAIL
        assert counts["candidate_only"] == 0


class TestUnderLoad:
    GATE = PairedTail(kind="paired_tail", feature="from_due_s", quantile=0.95, ratio_max=1.1)

    @pytest.mark.parametrize("worse", [1.0, 9.0], ids=["as good", "much slower"])
    def test_time_from_being_due_neither_passes_nor_fails_when_our_own_run_made_it(self, worse: float) -> None:
        candidate = {"from_due_s": times(400, median_s=worse)}
        pairs = some_pairs(control={"from_due_s": times(400)}, candidate=candidate)

        finding = judge_tail("load", self.GATE, replace(a_scene(pairs), held_back_share=0.06)).finding

        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "held back 6.0 % of the calls" in finding.reason

    def test_a_share_of_slow_calls_is_withheld_likewise(self) -> None:
        gate = PairedExceed(kind="paired_exceed", feature="from_due_s", limit_of_control_p95=2.0, margin_pp=3.0)
        pairs = some_pairs(control={"from_due_s": 1.0}, candidate={"from_due_s": 1.0})

        finding = judge_conditions("load", gate, replace(a_scene(pairs), is_paced=False)).finding

        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "as fast as our own quota allows" in finding.reason

    def test_time_from_sending_counts_all_the_same(self) -> None:
        finding = judge_tail("speed", SLOW, replace(a_scene(), held_back_share=0.9, is_paced=False)).finding

        assert finding.outcome is Outcome.PASS
