import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.voiceprint import cosine, packed, unpacked


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=256))
def test_a_voice_comes_back_from_its_text_to_the_last_bit(numbers: list[float]) -> None:
    voice = np.array(numbers, np.float32)

    np.testing.assert_array_equal(unpacked(packed(voice)), voice)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param([3.0, 0.0], 1.0, id="the same, louder"),
        pytest.param([0.0, 2.0], 0.0, id="nothing in common"),
        pytest.param([-1.0, 0.0], -1.0, id="the opposite"),
        pytest.param([1.0, 1.0], 2**-0.5, id="half-way"),
    ],
)
def test_likeness_is_the_cosine_of_the_angle(other: list[float], expected: float) -> None:
    assert cosine([1.0, 0.0], other) == pytest.approx(expected)
