import array
import struct

import pytest

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.delivery import Delivery, accept, extension_of
from tests.harness.providers.stubs import a_wav


def a_wav_of(layout: bytes, data: bytes = b"\1\2\3\4") -> bytes:
    chunk = struct.pack("<4sI", b"fmt ", len(layout)) + layout
    return b"RIFF\0\0\0\0WAVE" + chunk + struct.pack("<4sI", b"data", len(data)) + data


def pcm(*, form: int = 1, channels: int = 1, rate_hz: int = 24_000, bits: int = 16) -> bytes:
    return struct.pack("<HHIIHH", form, channels, rate_hz, rate_hz * channels * bits // 8, channels * bits // 8, bits)


def test_a_wav_is_accepted_with_its_own_sample_rate() -> None:
    body = a_wav(rate_hz=16_000)

    delivery = accept(body)

    assert isinstance(delivery, Delivery)
    assert delivery.speech.audio is body
    assert (delivery.speech.extension, delivery.speech.sample_rate_hz) == ("wav", 16_000)


@pytest.mark.parametrize("silence_s", [0.0, 0.25, 1.0])
def test_the_silence_before_the_first_sound_is_measured(silence_s: float) -> None:
    delivery = accept(a_wav(silence_s=silence_s))

    assert isinstance(delivery, Delivery)
    assert delivery.leading_silence_s == pytest.approx(silence_s)


@pytest.mark.parametrize(("level", "silence_s"), [(32, 0.5), (33, 0.0)])
def test_silence_ends_at_minus_sixty_decibels(level: int, silence_s: float) -> None:
    delivery = accept(a_wav(0.5, level=level))

    assert isinstance(delivery, Delivery)
    assert delivery.leading_silence_s == silence_s


def test_silence_is_counted_in_frames_not_samples() -> None:
    data = struct.pack("<hh", 0, 0) * 2_400 + struct.pack("<hh", 9_000, 9_000)

    delivery = accept(a_wav_of(pcm(channels=2), data))

    assert isinstance(delivery, Delivery)
    assert delivery.leading_silence_s == pytest.approx(0.1)


def test_silence_is_not_guessed_for_samples_that_are_no_16_bit_integers() -> None:
    delivery = accept(a_wav_of(pcm(form=3, bits=32)))

    assert isinstance(delivery, Delivery)
    assert delivery.leading_silence_s is None


@pytest.mark.parametrize(
    ("body", "extension"),
    [
        pytest.param(b"fLaC\0\0\0\x22", "flac", id="flac"),
        pytest.param(b"OggS\0\2", "ogg", id="ogg"),
        pytest.param(b"ID3\4\0", "mp3", id="mp3 with tags"),
        pytest.param(b"\xff\xfb\x90\x64", "mp3", id="mp3 frame"),
        pytest.param(b"\0\0\0\x20ftypM4A ", "m4a", id="m4a"),
    ],
)
def test_other_audio_is_known_by_its_magic_bytes_whatever_it_is_called(body: bytes, extension: str) -> None:
    delivery = accept(body)

    assert isinstance(delivery, Delivery)
    assert (delivery.speech.extension, delivery.speech.sample_rate_hz) == (extension, None)
    assert delivery.leading_silence_s is None


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"\xff\xff\xff", b"\xff\xe0", b"RIFF\0\0\0\0AVI ", b"\0" * 100, b"ftyp"]
)
def test_bytes_that_are_no_audio_have_no_extension(body: bytes) -> None:
    expected = "mp3" if body == b"\xff\xff\xff" else None  # eleven ones and a layer: a frame header

    assert extension_of(body) == expected


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        pytest.param(b"", ErrorKind.EMPTY_AUDIO, "no bytes", id="no bytes"),
        pytest.param(a_wav(0.0), ErrorKind.EMPTY_AUDIO, "no samples", id="44 bytes of header"),
        pytest.param(a_wav(0.0, silence_s=1.0), ErrorKind.EMPTY_AUDIO, "every sample", id="all zero"),
        pytest.param(b"<!DOCTYPE html><h1>502", ErrorKind.BAD_AUDIO, "a page instead", id="page"),
        pytest.param(b'{"code":"x"}', ErrorKind.BAD_AUDIO, "JSON instead", id="json"),
        pytest.param(b"\0\1\2\3" * 100, ErrorKind.BAD_AUDIO, "no audio known here", id="noise"),
        pytest.param(a_wav()[:-100], ErrorKind.TRUNCATED_AUDIO, "promises 24000 bytes, 23900 came", id="cut off"),
        pytest.param(a_wav()[:44], ErrorKind.TRUNCATED_AUDIO, "0 came", id="cut off after the header"),
        pytest.param(a_wav()[:30], ErrorKind.BAD_AUDIO, "without samples", id="cut off in the header"),
        pytest.param(b"RIFF\0\0\0\0WAVE", ErrorKind.BAD_AUDIO, "without samples", id="no chunks"),
        pytest.param(b"RIFF\0\0\0\0WAVEdata\2\0\0\0\1\1", ErrorKind.BAD_AUDIO, "before their format", id="no format"),
        pytest.param(a_wav_of(pcm(rate_hz=0)), ErrorKind.BAD_AUDIO, "0 Hz", id="rate 0"),
        pytest.param(a_wav_of(pcm(channels=0)), ErrorKind.BAD_AUDIO, "0 channels", id="no channels"),
        pytest.param(a_wav_of(pcm(channels=9)), ErrorKind.BAD_AUDIO, "9 channels", id="many channels"),
        pytest.param(a_wav_of(pcm(bits=0)), ErrorKind.BAD_AUDIO, "0 bits", id="no bits"),
        pytest.param(a_wav_of(pcm(form=0x55)), ErrorKind.BAD_AUDIO, "(85,", id="mp3 inside"),
    ],
)
def test_what_is_no_usable_audio_is_told_apart(body: bytes, kind: ErrorKind, told: str) -> None:
    failure = accept(body)

    assert isinstance(failure, Failure)
    assert failure.kind is kind
    assert told in failure.detail


def test_the_detail_shows_only_the_first_bytes_and_only_as_hex() -> None:
    failure = accept(b"<p>hello Anna, " + b"x" * 1_000)

    assert isinstance(failure, Failure)
    assert "Anna" not in failure.detail
    assert failure.detail.endswith(b"<p>hello Anna, ".hex() + "78" * 49)


@pytest.mark.parametrize("declared", [0xFFFF_FFFF, 0x7FFF_FFFF, 0xFFFF_FFFF - 36])
def test_a_streamed_wav_that_promises_the_moon_counts_by_its_bytes(declared: int) -> None:
    assert isinstance(accept(a_wav(declared_bytes=declared)), Delivery)


def test_chunks_before_the_samples_are_stepped_over() -> None:
    body = a_wav()
    note = struct.pack("<4sI", b"LIST", 5) + b"hello\0"  # odd sizes are padded

    assert isinstance(accept(body[:36] + note + body[36:]), Delivery)


@pytest.mark.parametrize("silent", [0, 1, 127, 128, 129, 6_000])
@pytest.mark.parametrize("level", [33, -33, -32_768])
def test_the_first_sound_is_found_to_the_sample(silent: int, level: int) -> None:
    samples = array.array("h", [32, -32] * (silent // 2) + [0] * (silent % 2) + [level] + [0] * 700)
    head = a_wav(0.0, declared_bytes=2 * len(samples))

    delivery = accept(head + samples.tobytes())

    assert isinstance(delivery, Delivery)
    assert delivery.leading_silence_s == silent / 24_000
