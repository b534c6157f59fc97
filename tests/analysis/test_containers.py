import struct

import pytest

from analysis.containers import Container, open_container
from harness.errors import ErrorKind, UndecodableAudio
from tests.analysis.sounds import a_file, a_tone, with_declared_length

WAV, FLAC, MP3, OPUS = (a_file(a_tone(), kind=kind) for kind in ("WAV", "FLAC", "MP3", "OGG"))
VORBIS = a_file(a_tone(), kind="OGG", subtype="VORBIS")
SAMPLES = len(WAV) - 44


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("data", "container"),
    [
        pytest.param(WAV, Container.WAV, id="wav"),
        pytest.param(FLAC, Container.FLAC, id="flac"),
        pytest.param(MP3, Container.MP3, id="mp3 by its frame header"),
        pytest.param(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + MP3, Container.MP3, id="mp3 behind an ID3 tag"),
        pytest.param(OPUS, Container.OGG, id="opus"),
        pytest.param(VORBIS, Container.OGG, id="vorbis"),
    ],
)
def test_a_whole_file_is_known_by_its_first_bytes_and_left_as_it_is(data: bytes, container: Container) -> None:
    assert open_container(data) == (container, data, "true")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"<!DOCTYPE html><title>502</title>", "an HTML page", id="html"),
        pytest.param(b"\xef\xbb\xbf \r\n<HTML>", "an HTML page", id="html behind a mark and spaces"),
        pytest.param(b'<?xml version="1.0"?><Error><Code>AccessDenied', "an XML document", id="expired address"),
        pytest.param(b'{"code": "InvalidApiKey"}', "a JSON document", id="json"),
        pytest.param(b"\0\0\0\x20ftypM4A \0\0", "an MP4 or M4A file", id="m4a"),
        pytest.param(b"\xff\xf1\x50\x80\x02\x1f\xfc", "AAC", id="adts"),
        pytest.param(b"\x1a\x45\xdf\xa3webm", "a WebM or Matroska file", id="webm"),
        pytest.param(b"RF64\xff\xff\xff\xffWAVE", "an RF64 file", id="rf64"),
        pytest.param(b"data:audio/wav;base64,UklGR", "a data URL", id="data url"),
        pytest.param(b"\x01\x00\xff\x7f" * 100, "begins with 01 00 ff 7f", id="bare samples"),
        pytest.param(b"\xff", "begins with ff", id="one byte"),
        pytest.param(b"\xff\xff\xff\xff" * 50, "begins with ff ff", id="a frame header with every bit set"),
        pytest.param(b"RIFF\x04\0\0\0AVI ", "no WAVE", id="another RIFF"),
    ],
)
def test_what_is_no_audio_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(UndecodableAudio, match=words) as caught:
        open_container(data)

    assert caught.value.kind == ErrorKind.BAD_AUDIO


def test_no_bytes_are_empty_audio() -> None:
    with pytest.raises(UndecodableAudio, match="0 bytes") as caught:
        open_container(b"")

    assert caught.value.kind == ErrorKind.EMPTY_AUDIO


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(WAV[:-2], id="wav, one sample short"),
        pytest.param(WAV[: len(WAV) // 2], id="wav, cut in half"),
        pytest.param(WAV[:40], id="wav, cut in its header"),
        pytest.param(with_declared_length(WAV, SAMPLES * 3), id="wav, header declares more"),
        pytest.param(OPUS[: len(OPUS) - 10], id="opus, last page cut"),
        pytest.param(OPUS[: OPUS.rfind(b"OggS")], id="opus, last page missing"),
        pytest.param(OPUS[: OPUS.rfind(b"OggS") + 8], id="opus, last page's header cut"),
        pytest.param(MP3[: len(MP3) - 50], id="mp3, less than its tag declares"),
        pytest.param(b"ID3\x04\0\0\0\0\x7f\x7f", id="mp3, tags only"),
    ],
)
def test_a_file_that_is_cut_off_is_truncated_audio(data: bytes) -> None:
    with pytest.raises(UndecodableAudio, match="too early") as caught:
        open_container(data)

    assert caught.value.kind == ErrorKind.TRUNCATED_AUDIO


@pytest.mark.parametrize(
    ("size", "header"),
    [
        pytest.param(0xFFFF_FFFF, "streaming", id="the largest number"),
        pytest.param(0x7FFF_FFFF - 36, "streaming", id="a signed writer's largest"),
        pytest.param(0, "streaming", id="zero, with samples behind"),
        pytest.param(1_000, "understated", id="less than is there"),
    ],
)
def test_a_wav_header_that_does_not_tell_the_length_is_set_right(size: int, header: str) -> None:
    opened = open_container(with_declared_length(WAV, size))

    assert opened == (Container.WAV, WAV, header)


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"LIST" + struct.pack("<I", 4) + b"INFO", id="a list of titles"),
        pytest.param(b"LIST" + struct.pack("<I", 400) + b"INFO", id="a list that is cut"),
        pytest.param(b"\0", id="the padding byte"),
    ],
)
def test_what_a_writer_puts_behind_the_samples_is_no_sound(tail: bytes) -> None:
    assert open_container(WAV + tail).header == "true"


def test_a_wav_with_no_samples_between_other_chunks_is_not_taken_for_a_stream() -> None:
    empty = with_declared_length(WAV, 0)[:44] + b"LIST" + struct.pack("<I", 4) + b"INFO"

    assert open_container(empty).header == "true"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(patched(WAV, 22, b"\xff\xff"), "65535 channels", id="too many channels"),
        pytest.param(patched(WAV, 22, b"\0\0"), "0 channels", id="no channel"),
        pytest.param(patched(WAV, 24, b"\0\0\0\0"), "0 samples a second", id="no rate"),
        pytest.param(
            patched(WAV, 24, b"\x01\0\0\0"), "1 samples a second", id="a rate that would swell when resampled"
        ),
        pytest.param(WAV[:12] + WAV[36:], "before its format", id="no format"),
    ],
)
def test_a_wav_header_that_cannot_be_true_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UndecodableAudio, match=words) as caught:
        open_container(data)

    assert caught.value.kind == ErrorKind.BAD_AUDIO
