"""Audio in the format a caller asked for, whole or while it is made. Nothing here waits: encode in a thread.

WAV, PCM, MP3 and Opus go out while they are made; FLAC cannot, since its header tells a length that libsndfile writes
at the end, so a streamed FLAC arrives as a whole.
"""

import io
import struct
import wave
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import soundfile

from harness.errors import UndecodableAudio
from harness.exchanges import Speech

__all__ = ["CONTENT_TYPES", "AudioFormat", "Encoder", "Samples", "encoded", "is_cheap", "samples_of"]


class AudioFormat(StrEnum):
    """What a caller may ask for."""

    WAV = "wav"
    PCM = "pcm"  # 16 bit, little-endian, mono, 24 kHz, as OpenAI's
    FLAC = "flac"
    MP3 = "mp3"
    OPUS = "opus"  # in Ogg


CONTENT_TYPES: Final = MappingProxyType(
    {
        AudioFormat.WAV: "audio/wav",
        AudioFormat.PCM: "audio/pcm",
        AudioFormat.FLAC: "audio/flac",
        AudioFormat.MP3: "audio/mpeg",
        AudioFormat.OPUS: "audio/ogg",
    }
)
# A constant bit rate: for a variable one LAME goes back to the first frame, which was sent long ago.
_CONTAINERS: Final[dict[AudioFormat, dict[str, Any]]] = {
    AudioFormat.FLAC: {"format": "FLAC", "subtype": "PCM_16"},
    AudioFormat.MP3: {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
        "compression_level": 0.5,
    },
    AudioFormat.OPUS: {"format": "OGG", "subtype": "OPUS"},
}
_ENDLESS: Final = 0xFFFF_FFFF  # the length in the header of a WAV whose end nobody knows yet


class Samples(NamedTuple):
    """Mono samples, 16 bit, signed, little-endian."""

    pcm: bytes
    rate_hz: int


def is_cheap(audio_format: AudioFormat) -> bool:
    """Whether encoding is no more than a header."""
    return audio_format in (AudioFormat.WAV, AudioFormat.PCM)


def samples_of(speech: Speech) -> Samples:
    """The samples of what a provider delivered; several channels become their mean.

    Raises:
        UndecodableAudio: It is no audio.
    """
    try:
        with wave.open(io.BytesIO(speech.audio)) as file:
            if (file.getnchannels(), file.getsampwidth()) == (1, 2):
                return Samples(file.readframes(file.getnframes()), file.getframerate())
    except (wave.Error, EOFError):
        pass  # another format, or a WAV of a kind that only libsndfile reads
    try:
        frames, rate_hz = soundfile.read(io.BytesIO(speech.audio), dtype="int16", always_2d=True)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise UndecodableAudio(f"the provider's audio does not decode: {error}") from None
    return Samples(frames.mean(axis=1).astype("<i2").tobytes(), int(rate_hz))


def encoded(speech: Speech, audio_format: AudioFormat) -> bytes:
    """The whole audio in `audio_format`; untouched when it is in it already.

    Raises:
        UndecodableAudio: It is no audio.
    """
    if speech.extension == audio_format.value:
        return speech.audio
    samples = samples_of(speech)
    if audio_format is AudioFormat.PCM:
        return samples.pcm
    if audio_format is AudioFormat.WAV:
        return _wav_header(samples.rate_hz, len(samples.pcm)) + samples.pcm
    encoder = Encoder(audio_format, rate_hz=samples.rate_hz, whole=True)
    encoder.add(samples.pcm)
    return encoder.end()


def _wav_header(rate_hz: int, size: int) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    riff_size = min(36 + size, _ENDLESS)
    return struct.pack("<4sI4s", b"RIFF", riff_size, b"WAVE") + form + struct.pack("<4sI", b"data", size)


class Encoder:
    """Encodes one audio while it arrives."""

    def __init__(self, audio_format: AudioFormat, *, rate_hz: int, whole: bool = False) -> None:
        """Begin.

        Args:
            audio_format: What comes out.
            rate_hz: Of the samples that go in.
            whole: Give nothing before the end, so that the header can tell the true length.
        """
        self._format = audio_format
        self._whole = whole or audio_format is AudioFormat.FLAC
        self._out = _Growing()
        self._file: Any = None
        if audio_format is AudioFormat.WAV:
            self._out.write(_wav_header(rate_hz, _ENDLESS))
        elif audio_format is not AudioFormat.PCM:
            options = _CONTAINERS[audio_format]
            self._file = soundfile.SoundFile(self._out, "w", samplerate=rate_hz, channels=1, **options)

    def add(self, pcm: bytes) -> bytes:
        """What can be sent once these samples are there; mostly a little later than they came."""
        if self._file is None:
            self._out.write(pcm)
        else:
            self._file.buffer_write(pcm, dtype="int16")
        return b"" if self._whole else self._out.news()

    def end(self) -> bytes:
        """What is left to send."""
        if self._file is not None:
            self._file.close()
            self._file = None
        return self._out.news()


class _Growing(io.BytesIO):
    """A file that tells what was added to its end since the last time."""

    def __init__(self) -> None:
        super().__init__()
        self._told = 0

    def news(self) -> bytes:
        with self.getbuffer() as content:
            added = bytes(content[self._told :])
        self._told += len(added)
        return added
