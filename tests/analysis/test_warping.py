import numpy as np
import pytest

from analysis.alignment import Alignment, align
from analysis.spectrum import HOP, RATE_HZ, Spectrum
from analysis.warping import longest_skip_s, worst_distance
from tests.analysis.test_repeats import babble

FRAME_S = HOP / RATE_HZ


def a_path(*steps: tuple[int, int], costs: list[float] | None = None, stride: int = 1) -> Alignment:
    """A path of so many steps in each of the directions given: (of control, of the other)."""
    moves = np.array(steps)
    control, other = np.concatenate([[[0, 0]], np.cumsum(moves, axis=0)]).T
    return Alignment(
        costs=np.array(costs if costs is not None else [1.0] * len(control)),
        control=control * stride,
        other=other * stride,
        stride=stride,
    )


def test_two_sounds_in_step_skip_nothing() -> None:
    assert longest_skip_s(a_path(*[(1, 1)] * 100)) == 0.0


@pytest.mark.parametrize("frames", [3, 6, 20])
def test_a_standstill_is_as_long_as_what_passes_meanwhile_whichever_side_stands(frames: int) -> None:
    there = a_path(*[(1, 1)] * 50, *[(1, 0)] * frames, *[(1, 1)] * 50)
    back = a_path(*[(1, 1)] * 50, *[(0, 1)] * frames, *[(1, 1)] * 50)

    assert longest_skip_s(there) == pytest.approx(frames * FRAME_S)
    assert longest_skip_s(back) == pytest.approx(frames * FRAME_S)


def test_a_standstill_at_either_end_counts_as_well() -> None:
    assert longest_skip_s(a_path(*[(1, 1)] * 50, *[(1, 0)] * 6)) == pytest.approx(6 * FRAME_S)
    assert longest_skip_s(a_path(*[(0, 1)] * 6, *[(1, 1)] * 50)) == pytest.approx(6 * FRAME_S)


def test_what_is_skipped_here_and_there_does_not_add_up() -> None:
    far_apart = a_path(*([(1, 0)] * 4 + [(1, 1)] * 60) * 3)

    assert longest_skip_s(far_apart) == pytest.approx(4 * FRAME_S)


def test_another_pace_is_no_skip() -> None:
    slower = a_path(*([(1, 1)] * 19 + [(1, 0)]) * 10)  # 5 % off

    assert longest_skip_s(slower) <= 2 * FRAME_S


def test_more_than_the_window_is_told_as_twice_the_window() -> None:
    assert longest_skip_s(a_path(*[(1, 1)] * 50, *[(1, 0)] * 200, *[(1, 1)] * 50)) == pytest.approx(0.6, abs=0.02)


def test_a_sound_of_a_single_frame_skips_nothing() -> None:
    alone = Alignment(costs=np.array([2.0]), control=np.array([0]), other=np.array([0]), stride=1)

    assert (longest_skip_s(alone), worst_distance(alone)) == (0.0, 2.0)


def test_steps_of_several_frames_are_counted_in_frames() -> None:
    coarse = a_path(*[(1, 1)] * 30, *[(1, 0)] * 4, *[(1, 1)] * 30, stride=3)

    assert longest_skip_s(coarse) == pytest.approx(12 * FRAME_S)


def test_the_worst_distance_is_the_highest_mean_over_a_short_word() -> None:
    costs = [1.0] * 101
    costs[40:59] = [9.0] * 19  # 0.3 s
    costs[80] = 100.0  # a single frame is no word

    found = worst_distance(a_path(*[(1, 1)] * 100, costs=costs))

    by_hand = max(np.mean(costs[start : start + 19]) for start in range(101 - 19 + 1))
    assert found == pytest.approx(by_hand)
    assert found == pytest.approx(9.0)


def test_a_word_that_was_left_out_shows_at_its_length() -> None:
    whole = babble(12, seed=3)
    lacking = np.concatenate([whole[:9_600], whole[13_440:]])  # two syllables, 0.24 s

    path = align(Spectrum(whole).mfcc(), Spectrum(lacking).mfcc())

    assert longest_skip_s(path) == pytest.approx(0.24, abs=0.03)
