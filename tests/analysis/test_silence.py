import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.audio import FloatArray
from analysis.silence import BLOCK_S, Activity, find_activity
from tests.analysis.sounds import RATE_HZ, a_noise, a_silence, a_tone, a_vowel, an_utterance


def activity(*parts: FloatArray) -> Activity:
    return find_activity(np.concatenate(parts), rate_hz=RATE_HZ)


SPEECH = an_utterance()


def test_silence_before_inside_and_after_is_found_to_a_block() -> None:
    found = activity(a_silence(0.4), a_vowel(seconds=0.5), a_silence(0.3), a_vowel(seconds=0.5), a_silence(0.7))

    assert found.leading_s == pytest.approx(0.4, abs=BLOCK_S)
    assert found.longest_pause_s == pytest.approx(0.3, abs=BLOCK_S + 0.01)  # a vowel rings on a little
    assert found.trailing_s == pytest.approx(0.7, abs=BLOCK_S + 0.01)
    assert found.active_s == pytest.approx(1.0, abs=0.04)
    assert found.active_s + found.leading_s + found.longest_pause_s + found.trailing_s == pytest.approx(2.4)


def test_the_longest_pause_is_one_between_two_words_and_not_at_an_end() -> None:
    found = activity(a_silence(2.0), a_tone(seconds=0.5), a_silence(0.2), a_tone(), a_silence(0.6), a_tone())

    assert found.longest_pause_s == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("parts", "pause_s"),
    [
        pytest.param((a_tone(), a_silence(0.1), a_tone()), 0.0, id="the closure of a consonant is no pause"),
        pytest.param((a_tone(), a_silence(0.12), a_tone()), 0.12, id="a little longer is one"),
        pytest.param((a_tone(),), 0.0, id="one word has none"),
    ],
)
def test_a_short_gap_belongs_to_the_word(parts: tuple[FloatArray, ...], pause_s: float) -> None:
    assert activity(*parts).longest_pause_s == pytest.approx(pause_s)


def test_a_click_is_no_speech() -> None:
    found = activity(a_silence(0.3), a_tone(seconds=0.02), a_silence(0.3), a_tone(), a_silence(0.3))

    assert found.leading_s == pytest.approx(0.62)


def test_the_room_between_words_is_silence_when_it_is_well_below_them() -> None:
    clean = activity(a_silence(0.5), SPEECH, a_silence(0.5))
    rooms = a_noise(len(SPEECH) / RATE_HZ + 1.0, level_db=-45.0)
    noisy = find_activity(np.concatenate([a_silence(0.5), SPEECH, a_silence(0.5)]) + rooms, rate_hz=RATE_HZ)

    assert noisy.noise_floor_db == pytest.approx(-45.0, abs=1.0)
    assert noisy.leading_s == pytest.approx(clean.leading_s, abs=0.02)
    assert noisy.longest_pause_s == pytest.approx(clean.longest_pause_s, abs=0.03)


def test_faint_consonants_are_kept_where_the_pauses_show_that_there_is_no_room() -> None:
    word = np.concatenate([a_vowel(seconds=0.3), a_noise(0.1, level_db=-50.0)])
    sentence = np.concatenate([word, a_silence(0.3), word, a_silence(0.3), word])

    dead, alive = activity(sentence), activity(sentence + a_noise(1.8, level_db=-50.0))

    assert dead.noise_floor_db is None
    assert dead.active_s == pytest.approx(1.2, abs=0.03)
    assert alive.noise_floor_db == pytest.approx(-50.0, abs=1.0)
    assert alive.active_s == pytest.approx(0.9, abs=0.1)


def test_an_offset_is_no_sound() -> None:
    plain = activity(a_silence(0.5), SPEECH, a_silence(0.5))

    offset = activity(a_silence(0.5) + np.float32(0.05), SPEECH + np.float32(0.05), a_silence(0.5) + np.float32(0.05))

    assert np.array_equal(plain.mask, offset.mask)


def test_sound_without_a_pause_is_speech_all_through() -> None:
    found = activity(a_tone(200.0, seconds=2.0))  # two periods a block

    assert (found.active_s, found.leading_s, found.trailing_s) == (2.0, 0.0, 0.0)
    assert found.speech_level_db == pytest.approx(-20.0, abs=0.1)


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(a_silence(1.0), id="digital silence"),
        pytest.param(a_noise(1.0, level_db=-70.0), id="a quiet room"),
        pytest.param(a_silence(0.001), id="a few samples"),
    ],
)
def test_where_nothing_is_loud_enough_there_is_no_speech(y: FloatArray) -> None:
    found = activity(y)

    assert not found.has_speech
    assert found.active_s == 0.0
    assert (found.leading_s, found.trailing_s, found.longest_pause_s, found.speech_level_db) == (None,) * 4


def test_a_last_block_that_is_short_counts_by_its_own_length() -> None:
    found = activity(a_tone(seconds=1.005))

    assert found.active_s == pytest.approx(1.005)
    assert found.trailing_s == 0.0


def test_moments_are_speech_where_their_block_is() -> None:
    found = activity(a_silence(0.5), a_tone(seconds=0.5))

    assert list(found.at(np.array([0.0, 0.49, 0.51, 0.99, 5.0]))) == [False, False, True, True, True]


@settings(max_examples=30, deadline=None)
@given(gain_db=st.floats(-15, 20))
def test_gain_changes_nothing_but_the_levels(gain_db: float) -> None:
    plain, louder = activity(SPEECH), activity((SPEECH * 10 ** (gain_db / 20)).astype(np.float32))

    assert np.array_equal(plain.mask, louder.mask)
    assert louder.speech_level_db == pytest.approx((plain.speech_level_db or 0.0) + gain_db, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(before=st.integers(0, 300), after=st.integers(0, 300))
def test_silence_put_before_or_after_is_added_to_what_was_there(before: int, after: int) -> None:
    plain = activity(SPEECH)

    padded = activity(a_silence(before * BLOCK_S), SPEECH, a_silence(after * BLOCK_S))

    assert padded.leading_s == pytest.approx((plain.leading_s or 0.0) + before * BLOCK_S)
    assert padded.trailing_s == pytest.approx((plain.trailing_s or 0.0) + after * BLOCK_S)
    assert padded.active_s == pytest.approx(plain.active_s)
    assert padded.longest_pause_s == pytest.approx(plain.longest_pause_s)
