import numpy as np
import pyloudnorm
import pytest

from analysis import levels as levels_module
from analysis.audio import FloatArray
from analysis.levels import find_levels
from tests.analysis.sounds import a_noise, a_silence, a_tone, an_audio, an_utterance


def test_a_sine_has_the_levels_it_was_made_with() -> None:
    levels = find_levels(an_audio(a_tone(1_000.0, seconds=2.0, level_db=-20.0)))

    assert levels.rms_db == pytest.approx(-20.0, abs=0.01)
    assert levels.peak_db == pytest.approx(-20.0 + 3.01, abs=0.01)
    assert levels.clipped_share == 0.0
    assert levels.dc_offset == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
def test_loudness_of_the_reference_tone_is_the_standards(rate_hz: int) -> None:
    # BS.1770: a full-scale sine of 997 Hz in one channel reads -3.01 LUFS.
    tone = a_tone(997.0, seconds=5.0, level_db=-3.0103 - 20.0, rate_hz=rate_hz)

    levels = find_levels(an_audio(tone, rate_hz=rate_hz))

    assert levels.loudness_lufs == pytest.approx(-3.01 - 20.0, abs=0.1)  # the tolerance of EBU Tech 3341


def test_loudness_is_gated_so_that_pauses_do_not_lower_it() -> None:
    word = a_tone(1_000.0, seconds=2.0)

    alone = find_levels(an_audio(word)).loudness_lufs
    among_pauses = find_levels(an_audio(np.concatenate([a_silence(3.0), word, a_silence(3.0)]))).loudness_lufs

    assert among_pauses == pytest.approx(alone, abs=0.7)


def test_loudness_in_single_precision_is_that_in_double() -> None:
    speech = an_utterance(8)
    double = pyloudnorm.Meter(16_000).integrated_loudness(speech.astype(np.float64))

    assert find_levels(an_audio(speech)).loudness_lufs == pytest.approx(double, abs=1e-3)


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(a_tone(seconds=0.399), id="shorter than a block of the gate"),
        pytest.param(a_silence(1.0), id="digital silence"),
        pytest.param(a_noise(1.0, level_db=-90.0), id="all under the gate"),
    ],
)
def test_what_has_no_loudness_gets_none(y: FloatArray) -> None:
    assert find_levels(an_audio(y)).loudness_lufs is None


def test_digital_silence_has_no_level_in_decibels() -> None:
    levels = find_levels(an_audio(a_silence(1.0)))

    assert (levels.peak_db, levels.rms_db, levels.clipped_share, levels.dc_offset) == (None, None, 0.0, 0.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_share_of_clipped_samples_is_counted(share: float) -> None:
    # A sine that reaches over full scale for `share` of its time.
    overdrive = 1.0 / np.cos(np.pi * share / 2) if share else 0.99
    tone = np.clip(overdrive * np.sin(2 * np.pi * 50.3 * np.arange(48_000) / 16_000), -1.0, 1.0)

    assert find_levels(an_audio(tone.astype(np.float32))).clipped_share == pytest.approx(share, abs=0.01)


def test_clipping_of_one_channel_is_not_hidden_by_the_other() -> None:
    loud = np.clip(a_tone(level_db=6.0), -1.0, 1.0)

    levels = find_levels(an_audio(np.stack([loud, np.zeros_like(loud)], axis=1)))

    assert levels.clipped_share > 0.2
    assert levels.peak_db == pytest.approx(0.0)


def test_a_constant_under_the_sound_is_its_offset() -> None:
    assert find_levels(an_audio(a_tone() + np.float32(0.05))).dc_offset == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
def test_the_true_peak_of_a_sine_lies_between_its_samples(rate_hz: int) -> None:
    # A quarter of the rate, shifted by an eighth of a period: every sample lies 3.01 dB under the peak.
    times = np.arange(rate_hz)
    sine = (0.5 * np.sin(np.pi / 2 * times + np.pi / 4)).astype(np.float32) * np.hanning(rate_hz).astype(np.float32)

    levels = find_levels(an_audio(sine, rate_hz=rate_hz))

    assert levels.peak_db == pytest.approx(-6.02 - 3.01, abs=0.02)
    assert levels.true_peak_db == pytest.approx(-6.02, abs=0.2)  # BS.1770-4 allows -0.4 to +0.2


def test_chunks_do_not_show_in_the_true_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = an_audio(np.stack([a_noise(0.5), a_noise(0.5, seed=2)], axis=1))
    whole = find_levels(noise).true_peak_db

    monkeypatch.setattr(levels_module, "_CHUNK_FRAMES", 1_000)

    assert find_levels(noise).true_peak_db == pytest.approx(whole, abs=0.01)


@pytest.mark.parametrize(
    ("levels_db", "range_lu"),
    [
        pytest.param((-20.0, -30.0), 10.0, id="case 1"),
        pytest.param((-20.0, -15.0), 5.0, id="case 2"),
        pytest.param((-40.0, -20.0), 20.0, id="case 3"),
        pytest.param((-50.0, -35.0, -20.0, -35.0, -50.0), 15.0, id="case 4"),
    ],
)
def test_loudness_range_meets_the_test_signals_of_ebu_tech_3342(levels_db: tuple[float, ...], range_lu: float) -> None:
    # Theirs are stereo, 20 s a level; in one channel everything lies 3 dB lower, which moves no range.
    tones = [a_tone(1_000.0, seconds=20.0, level_db=level - 3.01) for level in levels_db]

    levels = find_levels(an_audio(np.concatenate(tones)))

    assert levels.loudness_range_lu == pytest.approx(range_lu, abs=1.0)  # the standard's own tolerance


def test_loudness_range_is_near_that_of_pyloudnorm() -> None:
    speech = np.concatenate([an_utterance(20) * gain for gain in (1.0, 0.5, 0.25, 0.7)]).astype(np.float32)

    theirs = pyloudnorm.Meter(16_000).loudness_range(speech.astype(np.float64))

    assert find_levels(an_audio(speech)).loudness_range_lu == pytest.approx(theirs, abs=0.7)


def test_sound_under_three_seconds_has_no_loudness_range() -> None:
    assert find_levels(an_audio(a_tone(seconds=2.9))).loudness_range_lu is None
