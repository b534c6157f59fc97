from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from analysis.alignment import Alignment
from analysis.melody import Melodies, compare_melodies
from analysis.pitch import Pitch

STEPS = 200
TUNE = 3.0 * np.sin(np.arange(STEPS) / 9.0)  # semitones
ON_THE_LINE = Alignment(costs=np.ones(STEPS), control=np.arange(STEPS), other=np.arange(STEPS), stride=1)


def a_voice(semitones: npt.NDArray[np.float64], *, height_hz: float = 150.0) -> Pitch:
    return Pitch(f0_hz=height_hz * 2 ** (semitones / 12))


def compared(ours: Pitch, theirs: Pitch, alignment: Alignment = ON_THE_LINE) -> Melodies:
    found = compare_melodies(ours, theirs, alignment)
    assert found is not None
    return found


def test_one_tune_in_two_voices_is_one_tune() -> None:
    found = compared(a_voice(TUNE), a_voice(TUNE, height_hz=240.0))

    assert found.distance_semitones == pytest.approx(0.0, abs=1e-9)
    assert found.range_ratio == pytest.approx(1.0)


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.5])
def test_the_ratio_is_that_of_the_excursions(factor: float) -> None:
    assert compared(a_voice(TUNE), a_voice(factor * TUNE)).range_ratio == pytest.approx(factor, rel=0.03)


def test_octave_errors_do_not_move_the_ratio() -> None:
    wrong = np.where(np.arange(STEPS) % 10 == 0, TUNE + 12.0, TUNE)

    assert compared(a_voice(TUNE), a_voice(wrong)).range_ratio == pytest.approx(1.0, abs=0.03)


def test_steps_that_are_unvoiced_in_either_are_left_out() -> None:
    gaps = TUNE.copy()
    gaps[::3] = np.nan

    assert compared(a_voice(gaps), a_voice(0.5 * TUNE)).range_ratio == pytest.approx(0.5, rel=0.05)


def test_two_monotones_have_the_same_range() -> None:
    drone = np.zeros(STEPS)

    assert compared(a_voice(drone), a_voice(drone)).range_ratio == 1.0


def test_the_path_says_which_pitches_meet() -> None:
    twice = Alignment(costs=np.ones(STEPS), control=np.arange(STEPS) // 2, other=np.arange(STEPS), stride=1)

    found = compared(a_voice(TUNE[::2]), a_voice(TUNE), twice)

    assert found.distance_semitones < 0.2


def test_tunes_that_do_not_go_together_have_a_distance_and_no_ratio() -> None:
    steps: npt.NDArray[Any] = np.where(np.arange(STEPS) % 2 == 0, 6.0, -6.0)

    found = compared(a_voice(steps), a_voice(-steps))

    assert found.distance_semitones > 5.0
    assert found.range_ratio is None


def test_too_little_voice_is_no_melody() -> None:
    silent = np.full(STEPS, np.nan)
    silent[:9] = 0.0

    assert compare_melodies(a_voice(silent), a_voice(TUNE), ON_THE_LINE) is None
