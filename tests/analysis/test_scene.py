from dataclasses import replace

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
