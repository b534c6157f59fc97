import io
import wave

import numpy as np
import pytest
import soundfile

from harness.emulators.audio import decode_recording, encode, encode_wav
from harness.errors import UndecodableAudio

TONE = (0.5 * np.sin(2 * np.pi * 220 * np.arange(24_000) / 24_000)).astype(np.float32)


def test_a_wav_file_is_what_the_standard_library_reads() -> None:
    with wave.open(io.BytesIO(encode_wav(TONE))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (
            24_000, 1, 2, 24_000,
        )  # fmt: skip


def test_samples_beyond_full_scale_stay_at_the_rail() -> None:
    pcm = np.frombuffer(encode_wav(np.array([2.0, -2.0, 0.0], dtype=np.float32))[44:], "<i2")

    assert pcm.tolist() == [32_767, -32_767, 0]


@pytest.mark.parametrize("extension", ["wav", "mp3", "opus"])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_every_format_decodes_to_the_same_second(extension: str, rate_hz: int) -> None:
    recording = decode_recording(encode(TONE, extension=extension, rate_hz=rate_hz))

    assert recording.duration_s == pytest.approx(1.0, abs=0.15)  # MP3 pads with whole frames
    assert np.sqrt(np.mean(recording.samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_pcm_is_the_bare_samples() -> None:
    assert len(encode(TONE, extension="pcm", rate_hz=16_000)) == 2 * 16_000


def test_channels_of_a_recording_are_averaged() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.stack([TONE, -TONE], axis=1), 48_000, format="FLAC")

    recording = decode_recording(file.getvalue())

    assert (recording.channels, recording.rate_hz) == (2, 48_000)
    assert np.abs(recording.samples).max() < 1e-3


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no audio at all, however long it goes on" * 10, id="text"),
        pytest.param(encode_wav(TONE[:0]), id="a header alone"),
    ],
)
def test_bytes_that_hold_no_audio_are_refused(data: bytes) -> None:
    with pytest.raises(UndecodableAudio):
        decode_recording(data)
