"""Sounds of which everything is known: tones, a voice with a pitch of our choice, silence; and files that hold them."""

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile

from analysis.audio import Audio, FloatArray
from analysis.containers import Container

RATE_HZ = 16_000
_FORMANTS_HZ = ((500.0, 80.0), (1500.0, 120.0), (2500.0, 160.0))  # centre and width: a neutral vowel


def a_tone(hz: float = 220.0, *, seconds: float = 1.0, level_db: float = -20.0, rate_hz: int = RATE_HZ) -> FloatArray:
    """A sine whose root mean square lies at `level_db`."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    tone: npt.NDArray[np.float64] = math.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * times_s)
    return tone.astype(np.float32)


def a_silence(seconds: float, *, rate_hz: int = RATE_HZ) -> FloatArray:
    return np.zeros(round(seconds * rate_hz), dtype=np.float32)


def a_noise(seconds: float = 1.0, *, level_db: float = -20.0, rate_hz: int = RATE_HZ, seed: int = 1) -> FloatArray:
    noise = np.random.default_rng(seed).normal(size=round(seconds * rate_hz)) * 10 ** (level_db / 20)
    return noise.astype(np.float32)


def a_vowel(
    f0_hz: float | Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] = 120.0,
    *,
    seconds: float = 1.0,
    peak: float = 0.5,
    rate_hz: int = RATE_HZ,
) -> FloatArray:
    """A held vowel: pulses at a pitch, constant or a function of time, through three formants."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch = f0_hz(times_s) if callable(f0_hz) else np.full(len(times_s), f0_hz)
    pulses = np.zeros(len(times_s))
    pulses[np.flatnonzero(np.diff(np.floor(np.cumsum(pitch) / rate_hz)))] = 1.0
    sound = scipy.signal.lfilter([1.0], [1.0, -0.95], pulses)
    for centre_hz, width_hz in _FORMANTS_HZ:
        radius = math.exp(-math.pi * width_hz / rate_hz)
        angle = 2 * math.pi * centre_hz / rate_hz
        sound = scipy.signal.lfilter([1.0 - radius], [1.0, -2 * radius * math.cos(angle), radius**2], sound)
    return (sound * peak / np.abs(sound).max()).astype(np.float32)


def an_utterance(
    words: int = 4, *, f0_hz: float = 120.0, word_s: float = 0.3, rate_hz: int = RATE_HZ, seed: int = 1
) -> FloatArray:
    """Vowels, their pitch falling by four semitones, with pauses of 0.2 s, in a quiet room."""
    parts: list[FloatArray] = []
    for _ in range(words):
        vowel = a_vowel(lambda t: f0_hz * 2 ** ((2 - 4 * t / word_s) / 12), seconds=word_s, rate_hz=rate_hz)
        parts += [vowel, a_silence(0.2, rate_hz=rate_hz)]
    sound = np.concatenate(parts[:-1])
    return sound + a_noise(len(sound) / rate_hz, level_db=-70.0, rate_hz=rate_hz, seed=seed)[: len(sound)]


def an_audio(samples: FloatArray, *, rate_hz: int = RATE_HZ) -> Audio:
    """Decoded sound, shape (frames,) or (frames, channels)."""
    return Audio(
        samples=samples.reshape(len(samples), -1).astype(np.float32),
        rate_hz=rate_hz,
        container=Container.WAV,
        header="true",
    )


def a_file(
    samples: npt.NDArray[Any], *, rate_hz: int = RATE_HZ, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    """An audio file as bytes; 16-bit where the kind leaves a choice."""
    buffer = io.BytesIO()
    chosen = subtype or {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "OPUS"}.get(kind)
    soundfile.write(buffer, samples, rate_hz, format=kind, subtype=chosen)
    return buffer.getvalue()


def with_declared_length(wav: bytes, size: int) -> bytes:
    """A WAV file as libsndfile writes it, claiming `size` bytes of samples."""
    assert wav[36:40] == b"data"
    return wav[:40] + struct.pack("<I", size) + wav[44:]
