import math

import pytest

from dashboard.contrasts import CONTRASTS, Contrast, How
from harness.store.database import open_db
from harness.store.schema import TABLES


def a_contrast(how: How) -> Contrast:
    return Contrast(column="it", label="It", unit="", how=how, difference_unit="", floor=1)


def _difference(how: How, control: str, candidate: str) -> float | None:
    sides = f"SELECT {control} AS control_it, {candidate} AS candidate_it"
    with open_db() as database:
        row = database.execute(f"SELECT {a_contrast(how).sql('candidate')} FROM ({sides})").fetchone()
    assert row is not None
    return None if row[0] is None else float(row[0])


@pytest.mark.parametrize(
    ("how", "control", "candidate", "difference"),
    [
        pytest.param(How.PERCENT, "2.0", "3.0", 50, id="percent of control"),
        pytest.param(How.DIFFERENCE, "-20.0", "-23.0", -3, id="difference has a sign"),
        pytest.param(How.POINTS, "0.10", "0.25", 15, id="points of a share"),
        pytest.param(How.SEMITONES, "110.0", "220.0", 12, id="an octave is twelve semitones"),
        pytest.param(How.DISTANCE, "[0.0, 0.0]", "[3.0, 4.0]", 5, id="distance of two lists"),
    ],
)
def test_a_difference_is_the_candidate_against_control(
    how: How, control: str, candidate: str, difference: float
) -> None:
    assert _difference(how, control, candidate) == pytest.approx(difference)


@pytest.mark.parametrize("how", [How.PERCENT, How.SEMITONES])
def test_a_ratio_to_nothing_is_no_number(how: How) -> None:
    assert _difference(how, "0.0", "3.0") is None


@pytest.mark.parametrize("how", How)
def test_a_missing_side_gives_no_difference(how: How) -> None:
    of = "[1.0]" if how is How.DISTANCE else "1.0"
    missing = "NULL::DOUBLE[]" if how is How.DISTANCE else "NULL::DOUBLE"

    assert _difference(how, of, missing) is None


def test_every_contrast_is_about_a_column_that_is_measured() -> None:
    assert {contrast.column for contrast in CONTRASTS} <= set(TABLES["features"].names)


def test_every_contrast_has_a_floor_so_that_no_noise_is_zero() -> None:
    assert all(contrast.floor > 0 and math.isfinite(contrast.floor) for contrast in CONTRASTS)
