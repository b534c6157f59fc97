import io
import wave

import numpy as np
import pytest
import soundfile

from harness.emulators.audio import RATE_HZ, encode_wav
from harness.errors import UndecodableAudio
from harness.exchanges import Speech
from harness.gateway.formats import AudioFormat, Encoder, encoded, samples_of

TONE = (0.3 * np.sin(np.arange(RATE_HZ) / 20)).astype(np.float32)  # one second
SPEECH = Speech(audio=encode_wav(TONE), extension="wav", sample_rate_hz=RATE_HZ)


def seconds(audio: bytes) -> float:
    with soundfile.SoundFile(io.BytesIO(audio)) as file:
        return sum(len(block) for block in file.blocks(4_800)) / file.samplerate


def test_a_file_in_the_format_asked_for_is_passed_on_untouched() -> None:
    assert encoded(SPEECH, AudioFormat.WAV) is SPEECH.audio


def test_pcm_is_the_samples_alone() -> None:
    assert encoded(SPEECH, AudioFormat.PCM) == SPEECH.audio[44:]


@pytest.mark.parametrize("audio_format", [AudioFormat.FLAC, AudioFormat.MP3, AudioFormat.OPUS])
def test_every_format_is_as_long_as_the_speech(audio_format: AudioFormat) -> None:
    assert seconds(encoded(SPEECH, audio_format)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("audio_format", [AudioFormat.MP3, AudioFormat.OPUS])
def test_a_stream_gives_audio_before_its_end_and_loses_none(audio_format: AudioFormat) -> None:
    encoder = Encoder(audio_format, rate_hz=RATE_HZ)
    pcm = samples_of(SPEECH).pcm * 3

    early = b"".join(encoder.add(pcm[at : at + 4_800]) for at in range(0, len(pcm), 4_800))
    audio = early + encoder.end()

    assert 0 < len(early) < len(audio)
    assert seconds(audio) == pytest.approx(3.0, abs=0.1)


def test_a_streamed_wav_begins_with_a_header_of_no_length() -> None:
    encoder = Encoder(AudioFormat.WAV, rate_hz=RATE_HZ)

    first = encoder.add(b"\1\0")

    assert (first[:4], first[40:44], first[44:]) == (b"RIFF", b"\xff\xff\xff\xff", b"\1\0")
    assert encoder.end() == b""


def test_a_flac_stream_waits_for_its_end() -> None:
    encoder = Encoder(AudioFormat.FLAC, rate_hz=RATE_HZ)

    assert encoder.add(samples_of(SPEECH).pcm) == b""
    assert seconds(encoder.end()) == pytest.approx(1.0)


def test_several_channels_become_their_mean() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.stack([TONE, -TONE], axis=1), RATE_HZ, format="WAV", subtype="PCM_16")

    samples = samples_of(Speech(audio=file.getvalue(), extension="wav", sample_rate_hz=RATE_HZ))

    assert np.abs(np.frombuffer(samples.pcm, "<i2")).max() <= 1


def test_what_does_not_decode_says_so() -> None:
    with pytest.raises(UndecodableAudio):
        encoded(Speech(audio=b"RIFF nonsense", extension="wav", sample_rate_hz=None), AudioFormat.PCM)


def test_wav_from_another_format_has_its_true_length() -> None:
    flac = Speech(audio=encoded(SPEECH, AudioFormat.FLAC), extension="flac", sample_rate_hz=RATE_HZ)

    with wave.open(io.BytesIO(encoded(flac, AudioFormat.WAV))) as file:
        assert file.getnframes() == RATE_HZ
