import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from analysis.pictures import pair_picture
from tests.analysis.sounds import a_file, a_noise, a_silence, a_tone, a_vowel, an_utterance

# Where things lie on the card (see the module): plots begin at 70 and are 1114 wide.
WAVES = {"control": slice(30, 120), "candidate": slice(402, 492)}
MELS = {"control": slice(126, 296), "candidate": slice(498, 668)}
PITCHES = {"control": slice(302, 372), "candidate": slice(674, 744)}
PLOT = slice(70, 1184)


def pixels(control: bytes, candidate: bytes) -> npt.NDArray[np.uint8]:
    image = Image.open(io.BytesIO(pair_picture(control, candidate)))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (1200, 788))
    return np.asarray(image)


def inked(picture: npt.NDArray[np.uint8], rows: slice) -> npt.NDArray[np.int_]:
    """How many bright pixels each column of a plot has."""
    return (picture[rows, PLOT].max(axis=2) > 100).sum(axis=0)


TONE = a_file(a_tone(1_000.0, seconds=1.0))


def test_the_shorter_sound_ends_where_the_common_time_axis_says() -> None:
    picture = pixels(a_file(a_tone(seconds=2.0)), TONE)

    assert inked(picture, WAVES["control"])[-5:].min() > 10
    candidate = inked(picture, WAVES["candidate"])
    assert candidate[:550].min() > 10
    assert candidate[565:].max() == 0


def test_both_sounds_share_one_scale_of_level() -> None:
    picture = pixels(a_file(a_tone(level_db=-20.0)), a_file(a_tone(level_db=-26.0)))

    louder, softer = (np.median(inked(picture, rows)) for rows in WAVES.values())

    assert softer == pytest.approx(louder / 2, rel=0.1)


def test_a_tone_is_a_bright_line_at_its_frequency() -> None:
    picture = pixels(TONE, a_file(a_tone(4_000.0)))

    brightness = {lane: picture[rows, 300].sum(axis=1, dtype=int) for lane, rows in MELS.items()}
    control, candidate = (170 - int(np.argmax(column)) for column in brightness.values())

    assert 40 < control < 75  # 1 kHz lies a third up the mel scale, 4 kHz three quarters
    assert 115 < candidate < 145


def test_silence_before_the_sound_is_seen_as_silence() -> None:
    picture = pixels(a_file(np.concatenate([a_silence(1.0), a_tone(seconds=1.0)])), TONE)

    control = inked(picture, WAVES["control"])
    assert control[:540].max() <= 1
    assert control[570:].min() > 10


@pytest.mark.parametrize(
    ("control", "candidate"),
    [
        pytest.param(TONE, b"<html>", id="one side does not decode"),
        pytest.param(b"", b"{}", id="neither does"),
        pytest.param(a_file(a_silence(1.0)), TONE, id="one side is silent"),
        pytest.param(a_file(a_tone(seconds=0.001)), a_file(an_utterance(40)), id="a blip beside twenty seconds"),
    ],
)
def test_whatever_the_sides_hold_there_is_a_picture(control: bytes, candidate: bytes) -> None:
    picture = pixels(control, candidate)

    assert picture[: WAVES["control"].start].max() > 200  # a title


def test_a_side_that_does_not_decode_says_why_in_its_place() -> None:
    with_words = pixels(TONE, b"<html>")

    words = with_words[WAVES["candidate"], 80:400]
    assert (words.min(axis=2) > 180).sum() > 50
    assert inked(with_words, MELS["candidate"])[2:].max() == 0  # the first are ticks of the axis


def pitch_rows(picture: npt.NDArray[np.uint8], lane: str) -> npt.NDArray[np.float64]:
    """How far above the strip's lower edge the track runs in each column, in pixels; nan where there is none."""
    strip = picture[PITCHES[lane], PLOT].max(axis=2) > 150
    heights = 69.0 - np.arange(70)[:, None]
    return np.where(strip.any(axis=0), (strip * heights).sum(axis=0) / np.maximum(strip.sum(axis=0), 1), np.nan)


def test_both_pitches_are_drawn_on_one_scale_of_semitones() -> None:
    low, middle, high = (a_file(a_vowel(hz, seconds=2.0)) for hz in (100.0, 150.0, 225.0))

    below, above = pixels(low, high), pixels(low, middle)

    for picture in (below, above):
        assert np.nanmedian(pitch_rows(picture, "control")) < np.nanmedian(pitch_rows(picture, "candidate"))
    # 14 semitones of a strip of 16, and 7 of the octave that is the least.
    heights = [
        np.nanmedian(pitch_rows(picture, "candidate")) - np.nanmedian(pitch_rows(picture, "control"))
        for picture in (below, above)
    ]
    assert heights == pytest.approx([69 * 14.04 / 16.04, 69 * 7.02 / 12.0], abs=2.0)


def test_a_rising_melody_rises_and_stops_where_the_voice_stops() -> None:
    rising = a_vowel(lambda t: 100.0 * 2**t, seconds=1.0)

    track = pitch_rows(pixels(a_file(np.concatenate([rising, a_silence(1.0)])), a_file(a_vowel(120.0))), "control")

    assert track[450] > track[250] + 10 > track[80] + 20  # an octave over 557 columns and some 60 rows
    assert np.isnan(track[600:]).all()


def test_what_has_no_voice_has_no_pitch() -> None:
    picture = pixels(a_file(a_noise(1.0)), b"<html>")

    assert np.isnan(pitch_rows(picture, "control")).mean() > 0.95
    assert np.isnan(pitch_rows(picture, "candidate")).all()
