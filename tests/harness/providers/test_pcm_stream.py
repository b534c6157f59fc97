import io

import pytest
import soundfile

from harness.providers.delivery import accept
from harness.providers.pcm_stream import PcmStream

SECOND = 48_000  # bytes


def a_stream(*pieces: tuple[float, float], rate_hz: int = 24_000) -> PcmStream:
    """Pieces as (moment, seconds of sound)."""
    stream = PcmStream(rate_hz=rate_hz)
    for at_s, seconds in pieces:
        stream.add(b"\x40\x1f" * int(seconds * rate_hz), at_s=at_s)
    return stream


def test_the_pieces_are_one_file_that_others_can_read() -> None:
    wav = a_stream((1.0, 0.5), (2.0, 0.25)).wav()

    info = soundfile.info(io.BytesIO(wav))

    assert (info.frames, info.samplerate, info.channels, info.subtype) == (18_000, 24_000, 1, "PCM_16")
    assert accept(wav).speech.audio == wav  # type: ignore[union-attr]


def test_the_file_tells_the_rate_of_its_stream() -> None:
    assert soundfile.info(io.BytesIO(a_stream((0.0, 1.0), rate_hz=16_000).wav())).duration == 1.0


def test_a_whole_file_in_pieces_stays_as_it_is() -> None:
    whole = a_stream((0.0, 0.1)).wav()
    stream = PcmStream()
    for at in range(0, len(whole), 1_000):
        stream.add(whole[at : at + 1_000], at_s=float(at))

    assert stream.wav() == whole


def test_a_sample_may_be_cut_between_two_pieces_but_not_at_the_end() -> None:
    stream = PcmStream()
    stream.add(b"\x01", at_s=0.0)
    assert stream.ends_in_a_sample

    stream.add(b"\x02", at_s=0.1)

    assert not stream.ends_in_a_sample
    assert stream.wav()[-2:] == b"\x01\x02"


@pytest.mark.parametrize(
    ("offset_s", "start_s"),
    [
        pytest.param(0.0, 10.0, id="the first sample sounds when it is here"),
        pytest.param(0.4, 10.0, id="within the first piece nothing is waited for"),
        pytest.param(0.7, 11.3, id="a later one that came too late holds everything up"),
        pytest.param(9.0, 10.0, id="past the end the last piece counts"),
    ],
)
def test_playback_begins_so_that_a_sample_sounds_in_time(offset_s: float, start_s: float) -> None:
    stream = a_stream((10.0, 0.5), (12.0, 0.5))

    assert stream.start_s(offset_s) == pytest.approx(start_s)


def test_of_nothing_there_is_no_start() -> None:
    with pytest.raises(ValueError, match="no audio"):
        PcmStream().start_s(0.0)


@pytest.mark.parametrize(
    ("pieces", "paused_s"),
    [
        pytest.param([], 0.0, id="nothing"),
        pytest.param([(5.0, 1.0)], 0.0, id="one piece"),
        pytest.param([(5.0, 1.0), (5.5, 1.0), (6.9, 1.0)], 0.0, id="always ahead"),
        pytest.param([(5.0, 1.0), (6.5, 1.0), (7.0, 1.0)], 0.5, id="one gap"),
        pytest.param([(5.0, 1.0), (6.5, 1.0), (8.25, 1.0)], 1.25, id="two gaps add up"),
    ],
)
def test_pauses_are_what_a_listener_waits_after_the_first_piece(
    pieces: list[tuple[float, float]], paused_s: float
) -> None:
    assert a_stream(*pieces).paused_s == pytest.approx(paused_s)


@pytest.mark.parametrize(("data", "whole", "is_file"), [(b"", 0, False), (b"abc", 2, False), (b"RIFF.", 4, True)])
def test_it_tells_whole_samples_from_a_half_one_and_samples_from_a_file(data: bytes, whole: int, is_file: bool) -> None:
    stream = PcmStream()
    stream.add(data, at_s=0.0)

    assert (stream.whole_bytes, stream.is_file) == (whole, is_file)
