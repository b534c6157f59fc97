import json

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.audio import FloatArray
from analysis.features import features_of, measure
from harness.store.schema import TABLES
from tests.analysis.sounds import a_file, a_noise, a_silence, a_tone, a_vowel, an_audio, an_utterance

COLUMNS = set(TABLES["features"].names) - {"audio_sha256", "extractor_version"}
SPEECH = an_utterance(rate_hz=24_000)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(a_file(SPEECH, rate_hz=24_000), id="speech"),
        pytest.param(a_file(a_silence(1.0)), id="silence"),
        pytest.param(b"<html>", id="a page"),
    ],
)
def test_a_row_has_every_column_and_only_what_json_can_hold(data: bytes) -> None:
    row = measure(data)

    assert set(row) == COLUMNS
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_speech_has_all_its_features() -> None:
    row = measure(a_file(SPEECH, rate_hz=24_000))

    assert row["outcome"] == "ok"
    assert [column for column, value in row.items() if value is None] == ["loudness_range_lu"]  # under 3 s
    assert (row["sample_rate_hz"], row["channels"]) == (24_000, 1)
    assert row["duration_s"] == pytest.approx(1.8)
    assert row["active_s"] == pytest.approx(1.2, abs=0.1)
    assert row["active_share"] == pytest.approx(row["active_s"] / 1.8)
    assert row["longest_silence_s"] == pytest.approx(0.2, abs=0.04)
    assert row["f0_median_hz"] == pytest.approx(120.0, rel=0.2)
    assert (len(row["mfcc_mean"]), len(row["mfcc_std"])) == (13, 13)
    assert row["syllables_per_s"] == pytest.approx(4 / row["active_s"])
    assert row["true_peak_db"] >= row["peak_db"]
    assert row["energy_95_hz"] < row["energy_99_hz"]


def test_colour_and_pitch_are_those_of_the_speech_without_its_pauses() -> None:
    row = features_of(an_audio(np.concatenate([a_silence(1.0), a_vowel(200.0, seconds=2.0), a_silence(1.0)])))

    vowel = a_vowel(200.0, seconds=2.0)
    centroids = librosa.feature.spectral_centroid(y=vowel, sr=16_000, n_fft=1_024, hop_length=256)
    assert row["centroid_hz"] == pytest.approx(float(np.median(centroids)), rel=0.05)
    assert row["f0_median_hz"] == pytest.approx(200.0, rel=0.01)
    assert row["voiced_share"] > 0.9


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(a_silence(1.0), id="digital silence"),
        pytest.param(a_noise(1.0, level_db=-75.0), id="a quiet room"),
        pytest.param(a_tone(seconds=0.08), id="a blip"),
        pytest.param(a_silence(1 / 16_000), id="one sample"),
    ],
)
def test_sound_without_speech_is_empty_audio_with_the_numbers_that_exist(y: FloatArray) -> None:
    row = features_of(an_audio(y))

    assert row["outcome"] == "empty_audio"
    assert row["duration_s"] == len(y) / 16_000
    assert (row["centroid_hz"], row["f0_median_hz"], row["mfcc_mean"]) == (None, None, None)
    assert row["active_s"] < 0.1
    assert "no speech" in row["more"]["reason"]


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        pytest.param(b"", "empty_audio", id="nothing"),
        pytest.param(b'{"error": "quota"}', "bad_audio", id="json"),
        pytest.param(a_file(SPEECH)[:5_000], "truncated_audio", id="a cut file"),
    ],
)
def test_what_does_not_decode_has_its_outcome_and_a_reason(data: bytes, outcome: str) -> None:
    row = measure(data)

    assert row["outcome"] == outcome
    assert row["more"]["reason"]
    assert row["duration_s"] is None


def test_a_header_that_hid_the_length_is_noted() -> None:
    wav = a_file(SPEECH, rate_hz=24_000)

    assert measure(wav[:40] + b"\xff\xff\xff\xff" + wav[44:])["more"]["header"] == "streaming"


@settings(max_examples=12, deadline=None)
@given(gain_db=st.floats(-15, 5))
def test_gain_moves_levels_and_leaves_time_pitch_and_colour(gain_db: float) -> None:
    plain = features_of(an_audio(SPEECH, rate_hz=24_000))
    louder = features_of(an_audio(SPEECH * 10 ** (gain_db / 20), rate_hz=24_000))

    for unmoved in ("duration_s", "active_s", "leading_silence_s", "longest_silence_s", "voiced_share"):
        assert louder[unmoved] == pytest.approx(plain[unmoved], abs=1e-6)
    for nearly in ("f0_median_hz", "centroid_hz", "rolloff_hz", "bandwidth_hz"):
        assert louder[nearly] == pytest.approx(plain[nearly], rel=2e-3)
    for differences in ("snr_db", "level_spread_db", "ending_db", "last_db", "syllables_per_s", "repeat_score"):
        assert louder[differences] == pytest.approx(plain[differences], abs=0.05)
    for moved in ("loudness_lufs", "peak_db", "true_peak_db"):
        assert louder[moved] == pytest.approx(plain[moved] + gain_db, abs=0.02)
    assert louder["mfcc_mean"][1:] == pytest.approx(plain["mfcc_mean"][1:], abs=0.2)


@settings(max_examples=12, deadline=None)
@given(pad_s=st.floats(0.0, 2.0))
def test_silence_put_before_moves_the_leading_silence_and_little_else(pad_s: float) -> None:
    plain = features_of(an_audio(SPEECH, rate_hz=24_000))
    padded = features_of(an_audio(np.concatenate([a_silence(pad_s, rate_hz=24_000), SPEECH]), rate_hz=24_000))

    assert padded["leading_silence_s"] == pytest.approx(plain["leading_silence_s"] + pad_s, abs=0.011)
    assert padded["active_s"] == pytest.approx(plain["active_s"], abs=0.05)
    assert padded["f0_median_hz"] == pytest.approx(plain["f0_median_hz"], rel=0.02)
    assert padded["loudness_lufs"] == pytest.approx(plain["loudness_lufs"], abs=0.5)


@settings(max_examples=12, deadline=None)
@given(pad_s=st.floats(0.0, 2.0))
def test_silence_put_behind_moves_the_trailing_silence_and_little_else(pad_s: float) -> None:
    plain = features_of(an_audio(SPEECH, rate_hz=24_000))
    padded = features_of(an_audio(np.concatenate([SPEECH, a_silence(pad_s, rate_hz=24_000)]), rate_hz=24_000))

    assert padded["trailing_silence_s"] == pytest.approx(plain["trailing_silence_s"] + pad_s, abs=0.011)
    for unmoved in ("leading_silence_s", "peak_db", "clipped_share"):
        assert padded[unmoved] == plain[unmoved]
    assert padded["active_s"] == pytest.approx(plain["active_s"], abs=0.02)
    assert padded["longest_silence_s"] == pytest.approx(plain["longest_silence_s"], abs=0.02)
    for nearly in ("f0_median_hz", "centroid_hz", "rolloff_hz", "bandwidth_hz"):
        assert padded[nearly] == pytest.approx(plain[nearly], rel=0.03)  # its last frames now hold silence, too


@settings(max_examples=12, deadline=None)
@given(samples=st.integers(0, 1_000))
def test_where_the_sound_lies_between_frames_and_blocks_matters_little(samples: int) -> None:
    room = a_noise(1.0, level_db=-70.0, rate_hz=24_000)
    placed = [np.concatenate([room[: 12_000 + shift], SPEECH, room[12_000 + shift :]]) for shift in (0, samples)]

    plain, shifted = (features_of(an_audio(sound, rate_hz=24_000)) for sound in placed)

    for same in ("duration_s", "peak_db", "clipped_share"):
        assert shifted[same] == plain[same]
    assert shifted["active_s"] == pytest.approx(plain["active_s"], abs=0.085)  # a block at each edge of four words
    assert shifted["longest_silence_s"] == pytest.approx(plain["longest_silence_s"], abs=0.025)
    assert shifted["f0_median_hz"] == pytest.approx(plain["f0_median_hz"], rel=0.02)
    for nearly in ("centroid_hz", "rolloff_hz", "bandwidth_hz"):  # a sixth of so short words' frames: 5.8 % at most
        assert shifted[nearly] == pytest.approx(plain[nearly], rel=0.07)
    assert shifted["loudness_lufs"] == pytest.approx(plain["loudness_lufs"], abs=0.3)
    assert shifted["mfcc_mean"] == pytest.approx(plain["mfcc_mean"], abs=4.0)


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(3)), gains=st.tuples(*[st.floats(0.1, 1.0)] * 3))
def test_the_order_of_channels_changes_the_hash_and_nothing_else(
    order: list[int], gains: tuple[float, float, float]
) -> None:
    channels = [an_utterance(rate_hz=24_000, seed=seed) * np.float32(gain) for seed, gain in enumerate(gains)]
    sound = np.stack(channels, axis=1)

    plain, swapped = (features_of(an_audio(samples, rate_hz=24_000)) for samples in (sound, sound[:, order]))

    hashes = plain.pop("pcm_sha256"), swapped.pop("pcm_sha256")
    assert (hashes[0] == hashes[1]) is (order == sorted(order))
    assert _numbers(swapped) == pytest.approx(_numbers(plain), rel=1e-3, abs=1e-4)  # sums in another order round anew


def _numbers(row: dict[str, object]) -> dict[str, float]:
    return {name: value for name, value in row.items() if isinstance(value, int | float)}
