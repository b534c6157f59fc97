import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import audio
from analysis.audio import decode
from harness.errors import ErrorKind, UndecodableAudio
from tests.analysis.sounds import a_file, a_noise, a_silence, a_tone, an_audio, with_declared_length

TONE = a_tone(440.0, seconds=1.0)
WAV, FLAC = a_file(TONE), a_file(TONE, kind="FLAC")
# STREAMINFO holds the number of samples in its last 36 bits before the checksum.
_FLAC_TOTAL_AT = 8 + 14


def flac_declaring(samples: int) -> bytes:
    return FLAC[:_FLAC_TOTAL_AT] + struct.pack(">I", samples) + FLAC[_FLAC_TOTAL_AT + 4 :]


@pytest.mark.parametrize(
    ("kind", "subtype", "tolerance"),
    [
        pytest.param("WAV", "PCM_16", 2**-15, id="wav 16 bit"),
        pytest.param("WAV", "PCM_24", 2**-23, id="wav 24 bit"),
        pytest.param("WAV", "FLOAT", 0.0, id="wav float"),
        pytest.param("WAV", "PCM_U8", 2**-6, id="wav 8 bit"),
        pytest.param("FLAC", "PCM_16", 2**-15, id="flac"),
        pytest.param("MP3", None, 0.02, id="mp3"),
        pytest.param("OGG", "OPUS", 0.02, id="opus"),
        pytest.param("OGG", "VORBIS", 0.02, id="vorbis"),
    ],
)
def test_every_kind_of_file_gives_back_the_sound_that_went_in(kind: str, subtype: str | None, tolerance: float) -> None:
    decoded = decode(a_file(TONE, kind=kind, subtype=subtype))

    middle = slice(2_000, 14_000)  # codecs ring at the ends
    assert (decoded.rate_hz, decoded.channels) == (16_000, 1)
    assert decoded.duration_s == pytest.approx(1.0, abs=0.05)
    assert np.abs(decoded.samples[middle, 0] - TONE[middle]).max() <= tolerance + 1e-7


def test_channels_are_mixed_to_their_mean() -> None:
    stereo = np.stack([TONE, np.zeros_like(TONE)], axis=1)

    decoded = decode(a_file(stereo, subtype="FLOAT"))

    assert decoded.channels == 2
    np.testing.assert_allclose(decoded.mono(), TONE / 2, atol=1e-7)


def test_resampling_keeps_length_and_tone() -> None:
    resampled = an_audio(a_tone(440.0, seconds=1.0, rate_hz=24_000), rate_hz=24_000).mono_at(16_000)

    assert len(resampled) == 16_000
    np.testing.assert_allclose(resampled[500:-500], TONE[500:-500], atol=1e-3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(with_declared_length(WAV, 0xFFFF_FFFF), id="wav that was streamed"),
        pytest.param(with_declared_length(WAV, 0), id="wav that was never finished"),
        pytest.param(with_declared_length(WAV, 1_000), id="wav that says less than it holds"),
        pytest.param(flac_declaring(0), id="flac that leaves its length open"),
    ],
)
def test_bytes_count_where_a_header_does_not_tell_the_length(data: bytes) -> None:
    assert decode(data).duration_s == 1.0


def test_identical_sound_has_the_same_hash_in_another_file() -> None:
    steps = (TONE * 32_767).astype(np.int16)

    wav, flac = (decode(a_file(steps, kind=kind)) for kind in ("WAV", "FLAC"))

    assert wav.pcm_sha256() == flac.pcm_sha256()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(an_audio(TONE, rate_hz=8_000), id="slower"),
        pytest.param(an_audio(TONE[:-1]), id="shorter"),
        pytest.param(an_audio(TONE.reshape(-1, 2)), id="as stereo"),
        pytest.param(an_audio(TONE * np.float32(1 + 2**-20)), id="a hair louder"),
    ],
)
def test_different_sound_has_another_hash(other: audio.Audio) -> None:
    assert an_audio(TONE).pcm_sha256() != other.pcm_sha256()


def wav_with(sample: float) -> bytes:
    samples = TONE.copy()
    samples[5_000] = sample
    return a_file(samples, subtype="FLOAT")


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        pytest.param(b"", ErrorKind.EMPTY_AUDIO, "0 bytes", id="no bytes"),
        pytest.param(a_file(TONE[:0]), ErrorKind.EMPTY_AUDIO, "no samples", id="no samples"),
        pytest.param(b"<html>", ErrorKind.BAD_AUDIO, "HTML", id="a page"),
        pytest.param(wav_with(float("nan")), ErrorKind.BAD_AUDIO, "no finite numbers", id="a sample that is no number"),
        pytest.param(wav_with(float("-inf")), ErrorKind.BAD_AUDIO, "no finite numbers", id="an infinite sample"),
        pytest.param(
            a_file(TONE * 32_768, subtype="FLOAT"), ErrorKind.BAD_AUDIO, "not scaled", id="floats scaled like integers"
        ),
        pytest.param(FLAC[: len(FLAC) // 2], ErrorKind.TRUNCATED_AUDIO, "too early|breaks off", id="flac cut in half"),
        pytest.param(flac_declaring(1 << 31), ErrorKind.TRUNCATED_AUDIO, "too early", id="flac claiming a day"),
        pytest.param(WAV[:34] + b"\0\0" + WAV[36:], ErrorKind.BAD_AUDIO, "does not decode", id="samples of no bits"),
        pytest.param(FLAC[:20] + b"\0" * 2_000, ErrorKind.BAD_AUDIO, "does not decode", id="flac with a hollow inside"),
        pytest.param(b"\xff\xfb\x90\x64" + b"\0" * 400, ErrorKind.BAD_AUDIO, "does not decode", id="one frame of mp3"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_its_outcome(data: bytes, kind: ErrorKind, words: str) -> None:
    with pytest.raises(UndecodableAudio, match=words) as caught:
        decode(data)

    assert caught.value.kind == kind


def test_a_small_file_that_unpacks_to_hours_is_too_large() -> None:
    bomb = a_file(a_silence(audio.MAX_DURATION_S + 1, rate_hz=8_000), rate_hz=8_000, kind="FLAC")

    with pytest.raises(UndecodableAudio, match="longer than 600 s") as caught:
        decode(bomb)

    assert len(bomb) < 100_000
    assert caught.value.kind == ErrorKind.TOO_LARGE


def test_many_channels_at_a_high_rate_reach_the_cap_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MAX_SAMPLES", 10_000)

    with pytest.raises(UndecodableAudio) as caught:
        decode(a_file(np.zeros((6_000, 2), dtype=np.float32)))

    assert caught.value.kind == ErrorKind.TOO_LARGE
    assert decode(a_file(np.zeros((5_000, 2), dtype=np.float32))).channels == 2


@given(at=st.integers(0, 2_000), value=st.binary(min_size=1, max_size=8), cut=st.integers(0, 4_000))
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(at: int, value: bytes, cut: int) -> None:
    for whole in (a_file(a_noise(0.05)), a_file(a_noise(0.2), kind="FLAC"), a_file(a_noise(0.2), kind="OGG")):
        data = (whole[:at] + value + whole[at + len(value) :])[: len(whole) - cut]
        try:
            decoded = decode(data)
        except UndecodableAudio:
            continue
        assert np.isfinite(decoded.samples).all()
