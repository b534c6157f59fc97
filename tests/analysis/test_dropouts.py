import numpy as np
import pytest

from analysis.audio import FloatArray
from analysis.dropouts import count_dropouts
from tests.analysis.sounds import RATE_HZ, a_noise, a_silence, a_tone, a_vowel, an_utterance


def dropouts(y: FloatArray, *, level_db: float = -20.0) -> int:
    return count_dropouts(y, rate_hz=RATE_HZ, speech_level_db=level_db)


def holed(y: FloatArray, *, at_s: float, seconds: float, floor: float = 0.0) -> FloatArray:
    broken = y.copy()
    broken[round(at_s * RATE_HZ) : round((at_s + seconds) * RATE_HZ)] *= np.float32(floor)
    return broken


@pytest.mark.parametrize("seconds", [0.005, 0.015, 0.03])
def test_each_hole_in_a_loud_sound_is_counted(seconds: float) -> None:
    tone = a_tone(200.0, seconds=1.0)

    once = holed(tone, at_s=0.3, seconds=seconds)
    twice = holed(once, at_s=0.6, seconds=seconds)

    assert [dropouts(tone), dropouts(once), dropouts(twice)] == [0, 1, 2]


def test_a_hole_need_not_be_digital_silence() -> None:
    noise = a_noise(1.0, level_db=-75.0)

    assert dropouts(holed(a_tone(200.0), at_s=0.5, seconds=0.01) + noise) == 1
    assert dropouts(holed(a_tone(200.0), at_s=0.5, seconds=0.01, floor=0.1)) == 0  # 20 dB down is no hole


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(np.concatenate([a_tone(), a_silence(0.2), a_tone()]), id="a pause"),
        pytest.param(np.concatenate([a_tone(), a_silence(0.01)]), id="the end"),
        pytest.param(holed(a_silence(1.0), at_s=0.5, seconds=0.01), id="silence in silence"),
        pytest.param(a_vowel(84.0, seconds=1.0), id="a deep voice between two pulses"),
        pytest.param(an_utterance(4), id="words and pauses"),
        pytest.param(a_silence(0.0), id="nothing"),
    ],
)
def test_what_is_no_hole_is_not_counted(y: FloatArray) -> None:
    assert dropouts(y) == 0


def test_a_voice_that_dies_away_before_a_closure_is_no_hole() -> None:
    fall = np.linspace(0.0, -60.0, round(0.012 * RATE_HZ))  # a consonant's closure takes 10 ms and more to set in
    tone = a_tone(seconds=0.3)
    closing = a_tone(seconds=0.012) * (10 ** (fall / 20)).astype(np.float32)

    assert dropouts(np.concatenate([tone, closing, a_silence(0.02), tone])) == 0
    assert dropouts(np.concatenate([tone, a_silence(0.02), tone])) == 1


def test_gain_moves_nothing_where_the_speech_level_goes_with_it() -> None:
    broken = holed(a_tone(200.0), at_s=0.5, seconds=0.01)

    assert dropouts(broken * np.float32(0.1), level_db=-40.0) == dropouts(broken) == 1
