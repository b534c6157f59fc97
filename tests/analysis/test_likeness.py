import json
import re

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.audio import FloatArray
from analysis.likeness import COLUMNS, MEASURED, compare, likeness_of
from analysis.spectrum import N_MELS
from harness.store.schema import TABLES
from tests.analysis.sounds import a_file, a_noise, a_silence, a_tone, a_vowel, an_audio, an_utterance
from tests.analysis.test_repeats import babble

SPEECH = an_utterance(5)
NAMES = {"run_id", "capture_id", "repetition", "lane", "extractor_version", "control_sha256", "other_sha256"}


def likeness(control: FloatArray, other: FloatArray) -> dict[str, float]:
    return likeness_of(an_audio(control), an_audio(other))


def test_a_row_has_every_column_but_the_names_of_the_pair() -> None:
    row = compare(a_file(SPEECH), a_file(an_utterance(5, f0_hz=150.0)))

    assert set(row) == set(COLUMNS) == set(TABLES["pair_features"].names) - NAMES
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert [column for column, value in row.items() if value is None] == []


def test_a_sound_is_like_itself_in_everything() -> None:
    row = likeness(SPEECH, SPEECH)

    assert row["identical"] is True
    alike = {column: 1.0 if column.endswith("_ratio") else 0.0 for column in MEASURED}
    assert {column: row[column] for column in MEASURED} == pytest.approx(alike, abs=1e-6)


@pytest.mark.parametrize("semitones", [-5.0, -1.0, 3.0])
def test_another_pitch_is_a_shift_and_no_other_melody(semitones: float) -> None:
    row = likeness(an_utterance(5, f0_hz=140.0), an_utterance(5, f0_hz=140.0 * 2 ** (semitones / 12)))

    assert row["f0_shift_semitones"] == pytest.approx(semitones, abs=0.25)
    assert row["f0_contour_semitones"] < 0.5


def test_another_melody_is_no_shift() -> None:
    falling = a_vowel(lambda t: 150.0 * 2 ** ((3 - 6 * t) / 12), seconds=1.0)
    rising = a_vowel(lambda t: 150.0 * 2 ** ((-3 + 6 * t) / 12), seconds=1.0)

    row = likeness(falling, rising)

    assert row["f0_shift_semitones"] == pytest.approx(0.0, abs=0.6)
    assert row["f0_contour_semitones"] > 1.5


def test_half_the_melody_is_a_range_of_half() -> None:
    lively = a_vowel(lambda t: 150.0 * 2 ** (2 * np.sin(7 * t) / 12), seconds=2.0)
    dull = a_vowel(lambda t: 150.0 * 2 ** (np.sin(7 * t) / 12), seconds=2.0)

    assert likeness(lively, dull)["melody_ratio"] == pytest.approx(0.5, abs=0.1)
    assert likeness(dull, lively)["melody_ratio"] == pytest.approx(2.0, abs=0.4)


def test_a_stretch_that_one_lacks_is_a_skip_of_its_length_and_a_changed_one_is_none() -> None:
    words = babble(20, seed=5)
    lacking = np.concatenate([words[:16_000], words[19_200:]])
    changed = np.concatenate([words[:16_000], babble(20, seed=6)[16_000:20_800], words[20_800:]])

    assert likeness(words, lacking)["longest_skip_s"] == pytest.approx(0.2, abs=0.05)
    assert likeness(words, changed)["longest_skip_s"] < 0.1
    assert likeness(words, changed)["mfcc_dtw_worst"] > 4 * likeness(words, changed)["mfcc_dtw_distance"]


def test_what_is_cut_off_above_8_khz_is_treble_and_no_colour() -> None:
    wide = a_noise(2.0, rate_hz=24_000)
    spectrum = np.fft.rfft(wide)
    hz = np.fft.rfftfreq(len(wide), 1 / 24_000)
    cut = np.fft.irfft(np.where(hz > 9_000.0, 0.1, 1.0) * spectrum).astype(np.float32)

    row = likeness_of(an_audio(wide, rate_hz=24_000), an_audio(cut, rate_hz=24_000))

    kept = 9_000 / 12_000 + 0.01 * 3_000 / 12_000  # of the power, that shares are of: bands rise or fall against it
    steps_db = [-10 * np.log10(kept)] * 2 + [-20 - 10 * np.log10(kept)] * 6
    assert row["treble_difference_db"] == pytest.approx(np.sqrt(np.mean(np.square(steps_db))), abs=0.3)
    assert row["spectral_difference_db"] < 0.5


def test_ratios_are_of_the_other_by_control() -> None:
    row = likeness(an_utterance(5), an_utterance(5, word_s=0.6))

    assert row["duration_ratio"] == pytest.approx((5 * 0.6 + 0.8) / (5 * 0.3 + 0.8))
    assert row["speaking_rate_ratio"] == pytest.approx(0.5, abs=0.05)


def test_a_dull_copy_differs_in_colour_by_what_was_taken_away() -> None:
    noise = a_noise(2.0)
    spectrum = np.fft.rfft(noise)
    hz = np.fft.rfftfreq(len(noise), 1 / 16_000)
    dull = np.fft.irfft(np.where(hz > 4_000.0, 0.1, 1.0) * spectrum).astype(np.float32)

    row = likeness(noise, dull)

    above = float((librosa.mel_frequencies(N_MELS + 2, fmax=8_000.0)[1:-1] > 4_000.0).mean())
    deviation_db = 20.0 * (above * (1.0 - above)) ** 0.5  # of a step of 20 dB
    assert row["spectral_difference_db"] == pytest.approx(deviation_db, rel=0.05)


@settings(max_examples=10, deadline=None)
@given(gain_db=st.floats(-12, 5), before_s=st.floats(0, 1), after_s=st.floats(0, 1))
def test_gain_and_silence_around_it_move_only_loudness_and_duration(
    gain_db: float, before_s: float, after_s: float
) -> None:
    louder = SPEECH * np.float32(10 ** (gain_db / 20))
    moved = np.concatenate([a_silence(round(before_s, 2)), louder, a_silence(round(after_s, 2))])

    row = likeness(SPEECH, moved)

    assert row["loudness_difference_lu"] == pytest.approx(gain_db, abs=0.6)
    assert row["duration_ratio"] == pytest.approx(len(moved) / len(SPEECH))
    assert row["speaking_rate_ratio"] == pytest.approx(1.0, abs=0.03)
    assert row["mfcc_dtw_distance"] < 3.0
    assert abs(row["f0_shift_semitones"]) < 0.1
    assert row["spectral_difference_db"] < 0.5


def test_which_of_the_two_is_control_turns_the_signs_and_nothing_else() -> None:
    one, other = an_utterance(5), an_utterance(6, f0_hz=170.0, word_s=0.25) * np.float32(0.5)

    there, back = likeness(one, other), likeness(other, one)

    for ratio in ("duration_ratio", "speaking_rate_ratio", "melody_ratio"):
        assert there[ratio] * back[ratio] == pytest.approx(1.0)
    for difference in ("loudness_difference_lu", "f0_shift_semitones"):
        assert there[difference] == pytest.approx(-back[difference])
    for distance in ("mfcc_dtw_distance", "spectral_difference_db", "mfcc_dtw_worst", "treble_difference_db"):
        assert there[distance] == pytest.approx(back[distance], rel=0.02)


@pytest.mark.parametrize(
    ("control", "other", "outcome", "words"),
    [
        pytest.param(a_file(SPEECH), b"<html>", "bad_audio", "the other: the audio is an HTML page", id="a page"),
        pytest.param(a_file(SPEECH)[:5_000], b"", "truncated_audio", "control: ", id="the first that is broken"),
        pytest.param(a_file(a_silence(1.0)), a_file(SPEECH), "empty_audio", "control: .* no speech", id="silence"),
    ],
)
def test_a_side_that_cannot_be_used_is_the_outcome_of_the_pair(
    control: bytes, other: bytes, outcome: str, words: str
) -> None:
    row = compare(control, other)

    assert row["outcome"] == outcome
    assert [row[column] for column in MEASURED] == [None] * len(MEASURED)
    assert re.search(words, row["more"]["reason"])


def test_unvoiced_or_short_sound_lacks_what_it_cannot_have() -> None:
    row = likeness(a_tone(seconds=0.2), a_noise(0.2))

    assert row["outcome"] == "ok"
    lacking = ("loudness_difference_lu", "f0_shift_semitones", "f0_contour_semitones", "melody_ratio")
    assert [row[column] for column in lacking] == [None] * 4
