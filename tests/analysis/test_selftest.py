from pathlib import Path

import pytest

from analysis.gates import ClusterMean, Gate, PairedBand, PairedBinary, PairedExceed, PairedTail, RatioOfTotals
from analysis.judge import judge
from analysis.selftest import MIN_NOISE_PAIRS, SelfTest, self_test, spoil
from harness.judgement import Decision
from tests.frames import a_scene, mostly, some_evidence, some_noise, some_pairs, thresholds_of, times

GATES: dict[str, Gate] = {
    "errors": PairedBinary(kind="paired_binary", margin_pp=1.0, abs_max_pct=2.0),
    "slow": PairedTail(kind="paired_tail", ratio_max=1.1),
    "very_slow": PairedExceed(kind="paired_exceed", feature="service_s", limit_of_control_p95=2.0, margin_pp=1.0),
    "clipping": PairedExceed(kind="paired_exceed", feature="clipped_share", above=0.001, margin_pp=1.0),
    "quiet": PairedExceed(kind="paired_exceed", feature="active_share", below=0.3, margin_pp=1.0),
    "length": PairedBand(kind="paired_band", feature="duration_s", low=0.8, high=1.25, margin_pp=2.0),
    "cost": RatioOfTotals(kind="ratio_of_totals", per="request", ratio_max=1.0),
}


def the_test(count: int = 400, **repeat: object) -> SelfTest:
    noise = some_noise(count, repeat={"service_s": times(count, seed=5), **repeat})
    return self_test(a_scene(some_pairs(10), noise=noise, family=30), GATES)


def test_a_working_instrument_catches_a_small_share_of_every_planted_defect() -> None:
    test = the_test()

    assert test.fault is None
    assert test.is_done
    assert set(test.caught_from) == GATES.keys() - {"cost"}
    assert all(share <= 0.2 for share in test.caught_from.values())


def test_more_noise_pairs_see_smaller_defects() -> None:
    few, many = (the_test(count).caught_from for count in (120, 1500))

    assert all(many[gate] < few[gate] for gate in few)


@pytest.mark.parametrize(
    ("repeat", "gate"),
    [
        pytest.param({"outcome": mostly("ok", 400, overloaded=80)}, "errors", id="failures"),
        pytest.param({"service_s": times(400, median_s=4.0)}, "slow", id="time"),
        pytest.param({"clipped_share": 0.5}, "clipping", id="audio"),
    ],
)
def test_a_repeat_that_fails_against_control_means_that_the_ruler_moved(repeat: dict[str, object], gate: str) -> None:
    test = the_test(**repeat)

    assert test.fault is not None
    assert f"{gate} fails: " in test.fault
    assert test.caught_from == {}


def test_a_control_that_fails_a_fixed_limit_itself_is_no_fault_of_the_ruler() -> None:
    outcomes = {"outcome": mostly("ok", 400, overloaded=80)}
    noise = some_noise(400, repeat=outcomes).with_columns(control_outcome="repeat_outcome")

    assert self_test(a_scene(noise=noise), {"errors": GATES["errors"]}).fault is None


def test_with_few_noise_pairs_the_instrument_is_not_tested() -> None:
    test = the_test(MIN_NOISE_PAIRS - 1)

    assert (test.is_done, test.noise_pairs, test.fault, test.caught_from) == (False, 99, None, {})


def test_a_gate_that_sees_no_defect_at_all_is_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.selftest.spoil", lambda pairs, _gate, _share: pairs)

    assert the_test().fault == "self-test: 50 % of control were spoilt and errors did not fail"


def test_a_planted_share_is_the_share_that_is_spoilt() -> None:
    spoilt = spoil(some_pairs(200), GATES["clipping"], 0.1)

    assert int((spoilt["candidate_clipped_share"] > 0.001).sum()) == 20
    assert spoilt.equals(spoil(some_pairs(200), GATES["clipping"], 0.1))


def test_a_night_whose_ruler_moved_is_invalid_however_fine_the_candidate(tmp_path: Path) -> None:
    rules = thresholds_of(tmp_path, '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 3.0\n')
    moved = some_noise(200, repeat={"outcome": mostly("ok", 200, overloaded=60)})

    void, fine = (judge(some_evidence(some_pairs(), noise=noise), rules).overall for noise in (moved, some_noise(200)))

    assert (void.decision, fine.decision) == (Decision.INVALID, Decision.GO)
    assert void.reason.startswith("generate: self-test: control's own repeat in the candidate's place: errors fails")


class TestMeans:
    GATE = ClusterMean(kind="cluster_mean", feature="spectral_difference_db", margin=1.0)

    def of(self, voices: int, **repeat: object) -> SelfTest:
        noise = some_noise(400, cluster=[f"v{index % voices}" for index in range(400)], repeat=repeat)
        return self_test(a_scene(some_pairs(10), noise=noise, family=30), {"likeness": self.GATE})

    def test_a_shift_planted_in_a_small_share_is_caught(self) -> None:
        test = self.of(40)

        assert test.fault is None
        assert test.caught_from["likeness"] <= 0.2

    def test_too_few_voices_are_no_fault_of_the_instrument(self) -> None:
        test = self.of(20)

        assert (test.fault, dict(test.caught_from)) == (None, {})
