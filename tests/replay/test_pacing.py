from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.pacing import AsRecorded, AtOnce, Burst, Constant, Pacing, Poisson, parse_pacing


def due(pacing: Pacing, recorded_s: list[float]) -> list[float | None]:
    return list(pacing.due_s(recorded_s))


def test_a_constant_rate_is_exact_however_long_it_runs() -> None:
    assert due(Constant(200.0), [0.0] * 12_001)[-1] == 60.0


def test_a_burst_comes_all_at_the_same_moment() -> None:
    assert due(Burst(3, 10.0), [0.0] * 7) == [0, 0, 0, 10, 10, 10, 20]


def test_poisson_arrivals_have_their_mean_rate_and_spread() -> None:
    moments = [moment or 0.0 for moment in Poisson(50.0, seed=1).due_s([0.0] * 20_000)]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)

    assert mean == pytest.approx(0.02, rel=0.03)
    assert variance == pytest.approx(0.02**2, rel=0.06)  # exponential: the deviation equals the mean


def test_poisson_arrivals_are_the_same_for_the_same_seed_only() -> None:
    assert due(Poisson(5.0, 1), [0.0] * 9) == due(Poisson(5.0, 1), [0.0] * 9) != due(Poisson(5.0, 2), [0.0] * 9)


def test_recorded_gaps_are_kept_and_divided_by_the_speed() -> None:
    assert due(AsRecorded(), [100.0, 101.0, 104.0]) == [0, 1, 4]
    assert due(AsRecorded(4.0), [100.0, 101.0, 104.0]) == [0, 0.25, 1]


def test_a_long_gap_is_cut_and_everything_after_it_moves_forward() -> None:
    pacing = AsRecorded(max_gap_s=10.0)

    assert due(pacing, [0.0, 5.0, 3605.0, 3606.0]) == [0, 5, 15, 16]
    assert pacing.removed_s([0.0, 5.0, 3605.0, 3606.0]) == 3590.0


def test_a_capture_out_of_order_is_due_with_the_one_before_it_and_delays_nothing() -> None:
    assert due(AsRecorded(), [0.0, 10.0, 4.0, 11.0]) == [0, 10, 10, 11]


def test_at_once_leaves_it_to_room_and_quota() -> None:
    assert due(AtOnce(), [0.0, 5.0]) == [None, None]


@given(
    st.lists(st.floats(0, 1e9), max_size=50),
    st.sampled_from([AsRecorded(), AsRecorded(7.0, 3.0), Constant(3.0), Poisson(2.0, 1), Burst(4, 1.0)]),
)
def test_due_times_begin_at_zero_and_never_fall(recorded_s: list[float], pacing: Pacing) -> None:
    moments = due(pacing, recorded_s)

    assert len(moments) == len(recorded_s)
    assert moments[:1] in ([], [0.0])
    assert all(earlier <= later for earlier, later in pairwise(moments))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "pacing"),
    [
        ("at-once", AtOnce()),
        ("recorded", AsRecorded(1.0, 60.0)),
        ("recorded:4", AsRecorded(4.0, 60.0)),
        ("constant:0.5", Constant(0.5)),
        ("poisson:5", Poisson(5.0, 9)),
        ("burst:20:10", Burst(20, 10.0)),
    ],
)
def test_a_pacing_is_read_as_a_person_writes_it(text: str, pacing: Pacing) -> None:
    assert parse_pacing(text, seed=9, max_gap_s=60.0) == pacing


@pytest.mark.parametrize(
    "text",
    ["", "fast", "constant", "constant:0", "constant:-1", "constant:nan", "burst:2.5:1", "recorded:x", "poisson:1:2"],
)
def test_anything_else_is_refused_with_what_is_valid(text: str) -> None:
    with pytest.raises(ValueError, match="valid are at-once, recorded"):
        parse_pacing(text, seed=1)
