"""Audio as numbers: bytes of WAV, FLAC, MP3 or Ogg turned into samples, or a word on why that cannot be.

How much is decoded is bounded before memory is taken; who the bytes come from does not matter. A decoder can still
crash or hang, so this runs in processes of its own (see `workers`).
"""

import hashlib
import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from analysis.containers import Container, Opened, open_container
from harness.errors import ErrorKind, UndecodableAudio

__all__ = ["MAX_DURATION_S", "Audio", "FloatArray", "decode"]

FloatArray = npt.NDArray[np.float32]

# The longest text a provider takes is 600 characters, at most two minutes of speech; five times that is a defect.
MAX_DURATION_S: Final = 600.0
MAX_SAMPLES: Final = 57_600_000  # of all channels: ten minutes of stereo at 48 kHz, 230 MB
_BLOCK_FRAMES: Final = 1 << 20
# A float file whose samples were never scaled down from integers peaks at 32,768; 40 dB over full scale is no speech.
_LARGEST_SAMPLE: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Decoded sound."""

    samples: FloatArray  # shape (frames, channels); full scale is 1
    rate_hz: int
    container: Container
    header: str  # what its header told of the length: "true", "streaming" or "understated"

    @property
    def channels(self) -> int:
        """How many channels it had."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Its length by what was decoded, not by what a header said."""
        return len(self.samples) / self.rate_hz

    def mono(self) -> FloatArray:
        """The mean of its channels, shape (frames,)."""
        if self.channels == 1:
            return self.samples[:, 0]
        mixed: FloatArray = self.samples.mean(axis=1, dtype=np.float32)
        return mixed

    def mono_at(self, rate_hz: int) -> FloatArray:
        """The mono mix at another rate, by soxr at its high quality; shape (frames,)."""
        if rate_hz == self.rate_hz:
            return self.mono()
        resampled: FloatArray = soxr.resample(self.mono(), self.rate_hz, rate_hz, quality="HQ")
        return resampled

    def pcm_sha256(self) -> str:
        """Hash of rate, channels and samples: equal for identical sound, whatever file held it."""
        digest = hashlib.sha256(f"{self.rate_hz} {self.channels} f32le\n".encode())
        digest.update(np.ascontiguousarray(self.samples, dtype="<f4").data)
        return digest.hexdigest()


class _Forward(soundfile.SoundFile):  # type: ignore[misc] # soundfile ships no types
    """A sound file read once from front to end.

    soundfile seeks to where it already is after every read, which fails on a FLAC that does not tell its length.
    """

    def seekable(self) -> bool:
        return False


def decode(data: bytes) -> Audio:
    """The sound in `data`.

    Raises:
        UndecodableAudio: `kind` says why: `empty_audio` (no bytes, no samples), `truncated_audio` (less is there than
            declared), `too_large` (longer than `MAX_DURATION_S` or more than `MAX_SAMPLES`), `bad_audio` (anything
            else: no audio, a broken file, samples that are no numbers).
    """
    opened = open_container(data)
    try:
        with _Forward(io.BytesIO(opened.data)) as file:
            rate_hz, declared = file.samplerate, file.frames
            samples = _read(file, opened)
    except soundfile.SoundFileError as error:
        raise UndecodableAudio(f"the {opened.container.value} file does not decode: {_reason(error)}") from None
    if opened.header == "true" and len(samples) < declared < _UNKNOWN_FRAMES:
        raise UndecodableAudio(
            f"the audio ends too early: it declares {declared / rate_hz:.3f} s, "
            f"{len(samples) / rate_hz:.3f} s are there",
            ErrorKind.TRUNCATED_AUDIO,
        )
    _require_sound(samples)
    return Audio(samples=samples, rate_hz=rate_hz, container=opened.container, header=opened.header)


_UNKNOWN_FRAMES: Final = 1 << 62  # libsndfile says 2**63 - 1 where a header leaves the length open


def _read(file: soundfile.SoundFile, opened: Opened) -> FloatArray:
    """All frames up to the cap, in blocks, so that memory follows what is there and not what is declared."""
    cap = min(int(MAX_DURATION_S * file.samplerate), MAX_SAMPLES // file.channels)
    blocks: list[FloatArray] = []
    frames = 0
    while frames <= cap:
        try:
            block = file.read(min(_BLOCK_FRAMES, cap + 1 - frames), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            # Having opened well, a file that breaks on the way is most often one that was cut.
            raise UndecodableAudio(
                f"the {opened.container.value} file breaks off while decoding: {_reason(error)}",
                ErrorKind.TRUNCATED_AUDIO,
            ) from None
        if not len(block):
            break
        blocks.append(block)
        frames += len(block)
    if frames > cap:
        raise UndecodableAudio(
            f"the audio is longer than {MAX_DURATION_S:g} s or {MAX_SAMPLES:,} samples", ErrorKind.TOO_LARGE
        )
    return np.concatenate(blocks) if len(blocks) > 1 else blocks[0] if blocks else np.empty((0, 1), np.float32)


def _require_sound(samples: FloatArray) -> None:
    if not len(samples):
        raise UndecodableAudio("the audio holds no samples", ErrorKind.EMPTY_AUDIO)
    # Faster than isfinite().all(): a NaN or an infinity anywhere shows in the extremes.
    highest = max(float(samples.max()), -float(samples.min()))
    if not np.isfinite(highest):
        raise UndecodableAudio("the audio holds samples that are no finite numbers")
    if highest > _LARGEST_SAMPLE:
        raise UndecodableAudio(f"the audio's samples reach {highest:g} times full scale: not scaled to 1")


def _reason(error: Exception) -> str:
    """The words of libsndfile, without the address of the buffer it was given."""
    return str(error).rpartition(">: ")[2].rstrip(".")
