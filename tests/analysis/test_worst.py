from pathlib import Path

import polars as pl

from analysis.thresholds import Thresholds
from analysis.worst import worst_pairs
from harness.config import PROJECT
from harness.speech import Operation
from tests.frames import a_scene, mostly, some_pairs

GATES = Thresholds.load(PROJECT / "data" / "thresholds.toml").gates_for(Operation.GENERATE)
CANDIDATE: dict[str, object] = {
    "outcome": mostly("ok", 50, overloaded=1),
    "service_s": [0.5, 99.0, 50.0] + [0.5] * 47,
    "clipped_share": [0.0, 0.3] + [0.0] * 48,
    "audio_outcome": ["ok"] * 3 + ["empty_audio"] + ["ok"] * 46,
}


def test_the_pair_that_counts_against_most_gates_comes_first_with_what_was_wrong() -> None:
    found = worst_pairs(a_scene(some_pairs(50, candidate=CANDIDATE)), GATES)

    assert [pair.capture_id for pair in found] == ["generate-1", "generate-3", "generate-2", "generate-0"]
    assert found[0].gates == ("latency_p95", "very_slow", "bad_audio")
    assert found[0].reasons[1].startswith("very_slow: service_s 99 (control ")
    assert "clipped_share 0.3 (control 0)" in found[0].reasons[2]
    assert found[1].reasons[-1] == "bad_audio: empty_audio"
    assert found[3].reasons == ("error_rate: overloaded (control ok)",)


def test_of_many_ten_are_shown_in_whatever_order_they_come() -> None:
    pairs = some_pairs(50, candidate={"outcome": "overloaded"})

    found = worst_pairs(a_scene(pairs), GATES)

    assert len(found) == 10
    assert found == worst_pairs(a_scene(pairs.sample(fraction=1, shuffle=True, seed=2)), GATES)


def test_those_of_one_gate_fill_up_the_ten_after_those_of_two() -> None:
    slow = [99.0] * 4 + [0.5] * 46
    clipped = [0.0] * 2 + [0.3] * 18 + [0.0] * 30
    pairs = some_pairs(50, candidate={"service_s": slow, "clipped_share": clipped})

    found = worst_pairs(a_scene(pairs), GATES)

    assert [len(pair.gates) for pair in found] == [3, 3, 2, 2] + [1] * 6
    assert found[0].gates == ("latency_p95", "very_slow", "bad_audio")


def test_pairs_in_which_control_was_as_bad_are_not_held_against_the_candidate() -> None:
    both = {"outcome": mostly("ok", 50, tls=9)}

    assert worst_pairs(a_scene(some_pairs(50, candidate=both, control=both)), GATES) == ()


def test_without_pairs_or_gates_there_is_nothing(tmp_path: Path) -> None:
    assert worst_pairs(a_scene(some_pairs(0)), GATES) == ()
    assert worst_pairs(a_scene(pl.DataFrame()), {}) == ()
