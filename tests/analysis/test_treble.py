import numpy as np
import pytest
import scipy.signal

from analysis.treble import find_treble
from tests.analysis.sounds import a_noise, a_tone


def test_white_noise_has_its_share_of_the_band_in_each() -> None:
    bands_db = find_treble(a_noise(10.0, rate_hz=24_000), rate_hz=24_000)

    assert bands_db.shape == (8,)
    np.testing.assert_allclose(bands_db, 10 * np.log10(500 / 12_000), atol=0.5)


def test_a_band_is_that_of_a_periodogram_taken_elsewhere() -> None:
    y = scipy.signal.lfilter([1.0], [1.0, 0.7], a_noise(5.0, rate_hz=48_000)).astype(np.float32)
    hz, density = scipy.signal.welch(y, 48_000, nperseg=1_920, noverlap=0, detrend=False)

    found_db = find_treble(y, rate_hz=48_000)

    within = density[(hz > 9_000) & (hz <= 9_500)].sum() / density.sum()
    assert found_db[2] == pytest.approx(10 * np.log10(within), abs=0.2)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_what_the_rate_does_not_reach_is_silent(rate_hz: int) -> None:
    assert set(find_treble(a_noise(1.0, rate_hz=rate_hz), rate_hz=rate_hz)) == {-70.0}


def test_one_tone_lies_in_one_band() -> None:
    bands_db = find_treble(a_tone(8_750.0, rate_hz=24_000), rate_hz=24_000)

    assert bands_db[1] == pytest.approx(0.0, abs=0.1)
    assert list(np.delete(bands_db, 1)) == [-70.0] * 7


def test_neither_gain_nor_a_sound_shorter_than_a_frame_is_a_matter() -> None:
    y = a_noise(1.0, rate_hz=24_000)

    np.testing.assert_allclose(
        find_treble(y * np.float32(0.1), rate_hz=24_000), find_treble(y, rate_hz=24_000), atol=1e-3
    )
    assert np.isfinite(find_treble(y[:100], rate_hz=24_000)).all()
    assert set(find_treble(y * 0, rate_hz=24_000)) == {-70.0}
