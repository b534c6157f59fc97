import pytest

from analysis.floor import floor_of
from analysis.gates import PairedBand
from analysis.proofs import Bar
from analysis.shares import judge_conditions
from harness.judgement import Finding, Outcome
from tests.frames import a_scene, some_noise, some_pairs

BAND = PairedBand(kind="paired_band", feature="duration_s", low=0.8, high=1.25, margin_pp=2.0)
BAR = Bar(alpha=0.05, family=1)


def outside(bad: int, count: int) -> dict[str, object]:
    return {"duration_s": [9.0] * bad + [3.0] * (count - bad)}


def judged(candidate_bad: int, repeat_bad: int, *, pairs: int = 1000, repeats: int = 1000) -> Finding:
    scene = a_scene(
        some_pairs(pairs, candidate=outside(candidate_bad, pairs)),
        noise=some_noise(repeats, repeat=outside(repeat_bad, repeats)),
    )
    return judge_conditions("length", BAND, scene).finding


def test_a_candidate_as_noisy_as_control_passes_although_its_share_is_above_the_margin() -> None:
    finding = judged(100, 100)

    assert finding.outcome is Outcome.PASS
    assert finding.counts["both"] == 100
    assert "against control's own repeat" in finding.reason


def test_a_candidate_noisier_than_control_by_more_than_the_margin_fails() -> None:
    assert judged(160, 100).outcome is Outcome.FAIL


def test_with_too_few_repeats_the_share_itself_is_judged_and_the_reason_says_so() -> None:
    finding = judged(0, 0, repeats=100)

    assert finding.outcome is Outcome.PASS
    assert finding.reason.endswith("control's own noise not taken off, 100 of 313 repeats")


def test_a_limit_below_the_floor_is_refused_with_the_numbers() -> None:
    finding = judged(0, 30, repeats=200)

    assert finding.outcome is Outcome.INVALID
    assert "the limit +2.00 pp lies below control's own noise: its repeat is outside in 30 of 200" in finding.reason
    assert (finding.counts["noise_pairs"], finding.counts["noise_bad"]) == (200, 30)


@pytest.mark.parametrize("bad", [0, 4])
def test_a_floor_that_may_be_below_the_limit_is_not_refused(bad: int) -> None:
    assert judged(0, bad, repeats=200).outcome is not Outcome.INVALID


def test_only_captures_with_both_a_candidate_and_a_repeat_are_compared() -> None:
    floor = floor_of(BAND, a_scene(some_pairs(50), noise=some_noise(80)), None)

    assert (floor.noise.pairs, floor.triples.pairs, floor.is_known) == (80, 50, False)


def test_without_any_repeat_nothing_is_known() -> None:
    floor = floor_of(BAND, a_scene(some_pairs(50), noise=some_noise(0)), None)

    assert (floor.triples.pairs, floor.is_known, floor.refusal(2.0, BAR)) == (0, False, None)
