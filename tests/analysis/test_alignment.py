import numpy as np
import pytest

from analysis import alignment as module
from analysis.alignment import align
from analysis.audio import FloatArray
from analysis.spectrum import HOP, RATE_HZ, Spectrum
from tests.analysis.sounds import a_tone
from tests.analysis.test_repeats import babble


def cepstra(y: FloatArray) -> FloatArray:
    return Spectrum(y).mfcc()


def test_a_sound_lies_on_itself_frame_by_frame() -> None:
    mfcc = cepstra(babble(10, seed=1))

    found = align(mfcc, mfcc)

    assert found.distance == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_array_equal(found.control, found.other)
    np.testing.assert_array_equal(found.control, np.arange(mfcc.shape[1]))


def by_hand(ours: FloatArray, theirs: FloatArray) -> float:
    """The textbook recurrence, in plain loops: cost of the cheapest path."""
    costs = np.full((len(ours) + 1, len(theirs) + 1), np.inf)
    costs[0, 0] = 0.0
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            best = min(costs[i, j], costs[i, j + 1], costs[i + 1, j])
            costs[i + 1, j + 1] = np.linalg.norm(one - other) + best
    return float(costs[-1, -1])


def test_the_distance_is_the_textbooks_by_the_steps_of_the_path() -> None:
    control, other = cepstra(babble(6, seed=1)), cepstra(babble(7, seed=2))

    found = align(control, other)

    cost = by_hand(control[1:].T.astype(np.float64), other[1:].T.astype(np.float64))
    assert found.distance * len(found.control) == pytest.approx(cost, rel=1e-6)


def test_the_cost_of_a_step_is_that_of_the_two_frames_it_joins() -> None:
    control, other = cepstra(babble(6, seed=1)), cepstra(babble(7, seed=2))

    found = align(control, other)

    step = len(found.costs) // 2
    apart = control[1:, found.control[step]] - other[1:, found.other[step]]
    assert found.costs[step] == pytest.approx(float(np.linalg.norm(apart)), rel=1e-5)


def test_the_path_finds_where_the_other_lingers() -> None:
    first, last = a_tone(400.0, seconds=0.5), a_tone(1_500.0, seconds=0.5)
    control = np.concatenate([first, last])
    other = np.concatenate([first, first, first, last])

    found = align(cepstra(control), cepstra(other))

    frame_s = HOP / RATE_HZ
    opposite_s = found.other[np.argmax(found.control * frame_s >= 0.55)] * frame_s
    assert opposite_s == pytest.approx(1.55, abs=0.05)


def test_the_level_of_a_sound_does_not_move_it() -> None:
    y = babble(8, seed=3)

    assert align(cepstra(y), cepstra(y * np.float32(0.5))).distance < 0.2


def test_long_sound_is_aligned_in_coarser_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    mfcc = cepstra(babble(20, seed=4))
    monkeypatch.setattr(module, "_MOST_STEPS", 30)

    found = align(mfcc, mfcc[:, : mfcc.shape[1] // 2])

    assert len(set(found.control)) <= 30
    assert found.stride == -(-mfcc.shape[1] // 30)
    assert found.control.max() > 0.9 * mfcc.shape[1]
