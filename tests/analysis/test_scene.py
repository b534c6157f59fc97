import math
from dataclasses import replace

from analysis.gates import PairedBinary
from analysis.marks import marks_of
from tests.frames import a_scene, mostly, some_noise, some_pairs


def test_only_captures_that_went_to_control_twice_have_a_repeat_beside_them() -> None:
    scene = a_scene(some_pairs(50), noise=some_noise(30, repeat={"duration_s": 9.0}))

    assert scene.triples.height == 30
    assert set(scene.triples["repeat_duration_s"]) == {9.0}
    assert "candidate_duration_s" in scene.triples.columns


def test_the_earliest_pairs_that_were_timed_are_worked_out_once() -> None:
    scene = a_scene(some_pairs(600, candidate={"outcome": mostly("ok", 600, overloaded=40)}))

    earliest = scene.earliest

    assert set(earliest["capture_id"]) == {f"generate-{index}" for index in range(40, 540)}
    assert scene.earliest is earliest


def test_a_scene_with_other_pairs_forgets_what_was_worked_out() -> None:
    scene = a_scene(some_pairs(50), noise=some_noise(30))
    assert (scene.earliest.height, scene.triples.height) == (50, 30)

    smaller = replace(scene, pairs=scene.pairs.head(10))

    assert (smaller.earliest.height, smaller.triples.height) == (10, 10)


def test_what_a_gate_sees_in_each_pair_is_worked_out_once() -> None:
    scene = a_scene(some_pairs(50, candidate={"outcome": mostly("ok", 50, overloaded=3)}))
    gate = PairedBinary(kind="paired_binary", margin_pp=1.0)
    marks = marks_of(gate, scene.earliest)
    assert marks is not None

    flags = scene.flags(gate, marks)

    assert flags.counts == (50, 3, 0, 0)
    assert scene.flags(gate, marks) is flags
    assert replace(scene, pairs=scene.pairs.tail(10)).flags(gate, marks).counts == (10, 0, 0, 0)


def test_times_of_both_sides_stand_in_the_same_order_without_pairs_that_were_not_timed() -> None:
    outcomes = ["overloaded", "timeout_total", "ok", "ok"]
    scene = a_scene(some_pairs(4, candidate={"outcome": outcomes, "service_s": [1.0, 2.0, 3.0, 4.0]}))

    times = scene.times("service_s")

    assert times.candidate.tolist() == [math.inf, 3.0, 4.0]
    assert times.control.size == 3
    assert scene.times("service_s") is times
    assert scene.times("first_byte_s").candidate.tolist() == [math.inf, 0.5, 0.5]
