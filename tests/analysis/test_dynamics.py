import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.audio import FloatArray
from analysis.dynamics import MOST_SNR_DB, Dynamics, find_dynamics
from analysis.silence import find_activity
from tests.analysis.sounds import RATE_HZ, a_noise, a_silence, a_tone, an_utterance

SPEECH = an_utterance(6)


def dynamics(*parts: FloatArray) -> Dynamics:
    return find_dynamics(find_activity(np.concatenate(parts), rate_hz=RATE_HZ))


@pytest.mark.parametrize("noise_db", [-65.0, -50.0, -45.0])
def test_speech_over_noise_of_known_levels_has_their_difference(noise_db: float) -> None:
    words = np.concatenate([a_tone(level_db=-20.0), a_silence(0.5), a_tone(level_db=-20.0)])

    found = dynamics(words + a_noise(2.5, level_db=noise_db))

    assert found.snr_db == pytest.approx(-20.0 - noise_db, abs=1.5)


def test_digital_pauses_count_as_sixteen_bit() -> None:
    assert dynamics(a_tone(), a_silence(0.5), a_tone()).snr_db == MOST_SNR_DB


def test_two_levels_of_speech_are_spread_by_half_their_difference() -> None:
    found = dynamics(a_tone(200.0, level_db=-20.0), a_tone(200.0, level_db=-32.0))  # two whole periods a block

    assert found.level_spread_db == pytest.approx(6.0, abs=0.1)


def test_a_sound_cut_off_ends_at_its_level_and_one_that_dies_away_far_below() -> None:
    fading = a_tone(seconds=1.0) * np.linspace(1.0, 0.0, RATE_HZ, dtype=np.float32) ** 8

    assert dynamics(a_tone()).ending_db == pytest.approx(0.0, abs=0.2)
    assert dynamics(a_tone(), a_silence(0.7)).ending_db == pytest.approx(0.0, abs=0.2)  # silence behind hides nothing
    assert dynamics(a_tone(), fading).ending_db < -25.0


def test_a_file_that_ends_in_a_sound_is_cut_off_and_one_that_ends_in_a_room_is_not() -> None:
    room = a_noise(0.1, level_db=-75.0)

    assert dynamics(room, a_tone(level_db=-20.0)).last_db == pytest.approx(0.0, abs=0.3)
    assert dynamics(room, a_tone(level_db=-20.0), room).last_db == pytest.approx(-55.0, abs=1.5)
    assert dynamics(room, a_tone(level_db=-20.0), a_silence(0.1)).last_db == -60.0


@settings(max_examples=12, deadline=None)
@given(gain_db=st.floats(-12, 6), pad_s=st.floats(0, 1))
def test_neither_gain_nor_silence_around_it_moves_a_difference_of_levels(gain_db: float, pad_s: float) -> None:
    plain = dynamics(SPEECH)
    pad = a_silence(round(pad_s, 2))

    other = dynamics(pad, SPEECH * np.float32(10 ** (gain_db / 20)), pad)

    assert other.snr_db == pytest.approx(plain.snr_db, abs=0.5)
    assert other.level_spread_db == pytest.approx(plain.level_spread_db, abs=0.5)
    assert other.ending_db == pytest.approx(plain.ending_db, abs=1.0)


def test_without_speech_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="without speech"):
        dynamics(a_silence(1.0))
