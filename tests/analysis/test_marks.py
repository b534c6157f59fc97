from datetime import timedelta

import pytest

from analysis.gates import Condition, PairedAny, PairedBand, PairedBinary, PairedExceed, PairedTail, PerVoice
from analysis.marks import condition_marks, control_p95_s, earliest_timed, frozen_reference_s, is_relative, marks_of
from analysis.pairs import count_pairs
from tests.builders import NOON
from tests.frames import mostly, some_noise, some_pairs

BAND = PairedBand(kind="paired_band", feature="duration_s", low=0.8, high=1.25, margin_pp=2.0)
SLOW = PairedTail(kind="paired_tail", ratio_max=1.1)
VERY_SLOW = PairedExceed(kind="paired_exceed", feature="service_s", limit_of_control_p95=2.0, margin_pp=1.0)
CLIPPING = PairedExceed(kind="paired_exceed", feature="clipped_share", above=0.1, margin_pp=1.0)


@pytest.mark.parametrize(
    ("gate", "candidate"),
    [
        pytest.param(
            PairedBinary(kind="paired_binary", margin_pp=1.0), {"outcome": mostly("ok", 400, tls=7)}, id="binary"
        ),
        pytest.param(SLOW, {"service_s": [99.0] * 7 + [0.1] * 393}, id="tail"),
        pytest.param(VERY_SLOW, {"service_s": [99.0] * 7 + [0.1] * 393}, id="time"),
        pytest.param(CLIPPING, {"clipped_share": [0.5] * 7 + [0.0] * 393}, id="feature"),
        pytest.param(BAND, {"duration_s": [9.0] * 7 + [3.0] * 393}, id="band"),
    ],
)
def test_every_paired_gate_marks_the_side_that_is_bad(gate: object, candidate: dict[str, object]) -> None:
    pairs = some_pairs(candidate=candidate, control={"service_s": 1.0})

    marks = marks_of(gate, pairs)  # type: ignore[arg-type] # one of the gates

    assert marks is not None
    counts = count_pairs(pairs, marks.candidate, marks.control, among=marks.among)
    assert (counts.pairs, counts.candidate_only, counts.control_only) == (400, 7, 0)


@pytest.mark.parametrize(
    "gate", [PerVoice(kind="per_voice"), PairedBinary(kind="paired_binary", abs_max_pct=1.0)], ids=["voices", "share"]
)
def test_a_gate_that_compares_no_sides_has_no_marks(gate: object) -> None:
    assert marks_of(gate, some_pairs()) is None  # type: ignore[arg-type] # one of the gates


def test_the_reference_of_a_timing_stays_when_later_pairs_come() -> None:
    early = some_pairs(500)
    late = some_pairs(300, control={"service_s": 50.0}, capture_id=[f"late-{index}" for index in range(300)])
    late = late.with_columns(control_sent_at=NOON + timedelta(days=2))

    references = [
        frozen_reference_s(earliest_timed(frame), "service_s", 0.95)
        for frame in (early, early.vstack(late), late.vstack(early))
    ]

    assert references[0] == references[1] == references[2]
    assert control_p95_s(VERY_SLOW, early) == references[0]
    assert control_p95_s(CLIPPING, early) is None


def test_in_noise_pairs_the_repeat_takes_the_candidates_place() -> None:
    noise = some_noise(50, repeat={"duration_s": [9.0] * 3 + [3.0] * 47})

    marks = condition_marks(BAND, None, candidate="repeat")

    assert count_pairs(noise, marks.candidate, marks.control, among=marks.among).candidate_only == 3


def test_only_a_band_measures_the_candidate_by_control() -> None:
    mixed = PairedAny(
        kind="paired_any",
        margin_pp=1.0,
        any=(
            Condition(feature="clipped_share", above=0.1),
            Condition(feature="duration_s", ratio_low=0.5, ratio_high=2),
        ),
    )

    assert [is_relative(gate) for gate in (BAND, mixed, CLIPPING)] == [True, True, False]
