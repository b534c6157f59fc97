"""Defects planted into clean speech, each at three strengths; what is broken and how much is known exactly.

A defect is a way to render a line: most damage the finished sound, some have the voice say it another way.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile
import soxr

from harness.emulators.audio import RATE_HZ
from harness.emulators.timbres import CAST
from harness.emulators.voices import Line, speak

Sound = npt.NDArray[np.float32]
NAMES = tuple(CAST)
BAND_HZ = 6_000.0  # over a telephone's


@dataclass(frozen=True, kw_only=True)
class Defect:
    name: str
    unit: str  # of its strengths
    strengths: tuple[float, ...]  # weakest first
    render: Callable[[Line, float, np.random.Generator], Sound]
    damage: Callable[[Sound, float, np.random.Generator], Sound] | None = None  # to a finished sound, where it is that
    reach_hz: tuple[float, ...] = (0.0, 0.0, 0.0)  # for each strength: what it takes away must have been there


def after(damage: Callable[[Sound, float, np.random.Generator], Sound]) -> Callable[..., Sound]:
    """Damage done to the finished sound."""
    return lambda line, strength, rng: damage(speak(line), strength, rng).astype(np.float32)


def damaging(
    name: str,
    unit: str,
    strengths: tuple[float, ...],
    damage: Callable[[Sound, float, np.random.Generator], Sound],
    *,
    reach_hz: tuple[float, ...] = (0.0, 0.0, 0.0),
) -> Defect:
    """A defect that is done to a finished sound, whoever made it."""
    how = after(damage)
    return Defect(name=name, unit=unit, strengths=strengths, render=how, damage=damage, reach_hz=reach_hz)


def samples_of(seconds: float) -> int:
    return round(seconds * RATE_HZ)


def spot(y: Sound, rng: np.random.Generator, *, room: int = 0) -> int:
    """A place within the middle of the speech, with sound at it and `room` samples behind it."""
    loud = np.flatnonzero(np.abs(y) > 0.05 * np.abs(y).max())
    first, last = loud[0] + len(loud) // 10, loud[-1] - room - len(loud) // 10
    return int(rng.choice(loud[(loud >= first) & (loud <= max(first, last))]))


def noise(y: Sound, snr_db: float, rng: np.random.Generator) -> Sound:
    return y + rng.normal(size=len(y)) * np.sqrt(np.mean(y**2)) * 10 ** (-snr_db / 20)


def hum(y: Sound, snr_db: float, rng: np.random.Generator) -> Sound:
    wave = sum(np.sin(2 * np.pi * 50 * k * np.arange(len(y)) / RATE_HZ) / k for k in (1, 2, 3))
    return y + wave / np.std(wave) * np.sqrt(np.mean(y**2)) * 10 ** (-snr_db / 20)


def overdrive(y: Sound, gain_db: float, rng: np.random.Generator) -> Sound:
    """Amplified over full scale from a peak just under it, and cut off there."""
    return np.clip(y / np.abs(y).max() * 0.99 * 10 ** (gain_db / 20), -1.0, 1.0)


def clipped_inside(y: Sound, gain_db: float, rng: np.random.Generator) -> Sound:
    """Cut off inside the chain and brought back to its level: no sample is at full scale."""
    clipped = overdrive(y, gain_db, rng)
    return clipped * (np.std(y) / np.std(clipped))


def low_pass(y: Sound, hz: float, rng: np.random.Generator) -> Sound:
    return scipy.signal.sosfiltfilt(scipy.signal.butter(8, hz, fs=RATE_HZ, output="sos"), y)


def high_pass(y: Sound, hz: float, rng: np.random.Generator) -> Sound:
    return scipy.signal.sosfiltfilt(scipy.signal.butter(4, hz, "high", fs=RATE_HZ, output="sos"), y)


def gaps(y: Sound, milliseconds: float, rng: np.random.Generator) -> Sound:
    """Ten dropouts."""
    holed = y.copy()
    for _ in range(10):
        at = spot(y, rng)
        holed[at : at + samples_of(milliseconds / 1000)] = 0.0
    return holed


def dropped(y: Sound, seconds: float, rng: np.random.Generator) -> Sound:
    at = spot(y, rng, room=samples_of(seconds))
    return np.concatenate([y[:at], y[at + samples_of(seconds) :]])


def cut_tail(y: Sound, percent: float, rng: np.random.Generator) -> Sound:
    return y[: round(len(y) * (1 - percent / 100))]


def said_again(y: Sound, seconds: float, rng: np.random.Generator, *, times: int = 1) -> Sound:
    length = samples_of(seconds)
    end = spot(y, rng) + length
    return np.concatenate([y[:end], *[y[end - length : end]] * times, y[end:]])


def stutter(y: Sound, seconds: float, rng: np.random.Generator) -> Sound:
    return said_again(y, seconds, rng, times=3)


def paused(y: Sound, seconds: float, rng: np.random.Generator) -> Sound:
    at = spot(y, rng)
    return np.concatenate([y[:at], rng.normal(size=samples_of(seconds)) * 10 ** (-72 / 20), y[at:]])


def late(y: Sound, seconds: float, rng: np.random.Generator) -> Sound:
    return np.concatenate([rng.normal(size=samples_of(seconds)) * 10 ** (-72 / 20), y])


def trailing(y: Sound, seconds: float, rng: np.random.Generator) -> Sound:
    return late(y[::-1], seconds, rng)[::-1]


def softer(y: Sound, decibels: float, rng: np.random.Generator) -> Sound:
    return y * 10 ** (-decibels / 20)


def offset(y: Sound, full_scale: float, rng: np.random.Generator) -> Sound:
    return y + full_scale


def fading(y: Sound, decibels: float, rng: np.random.Generator) -> Sound:
    return y * 10 ** (-np.linspace(0, decibels, len(y)) / 20)


def shifted(y: Sound, semitones: float, rng: np.random.Generator) -> Sound:
    """Another pitch and formants, the level kept: the phase vocoder would lower it by itself."""
    moved = librosa.effects.pitch_shift(y, sr=RATE_HZ, n_steps=semitones)
    return moved * (np.std(y) / np.std(moved))


def wrong_rate(y: Sound, percent: float, rng: np.random.Generator) -> Sound:
    """Played too fast: a header that claims another rate."""
    return soxr.resample(y, RATE_HZ * (1 + percent / 100), RATE_HZ)


def aliased(y: Sound, factor: float, rng: np.random.Generator) -> Sound:
    """Resampled by leaving out samples, and back by holding them."""
    return np.repeat(y[:: int(factor)], int(factor))[: len(y)]


def fewer_bits(y: Sound, bits: float, rng: np.random.Generator) -> Sound:
    return np.round(y * 2 ** (bits - 1)) / 2 ** (bits - 1)


def through(y: Sound, level: float, rng: np.random.Generator, **how: Any) -> Sound:
    file = io.BytesIO()
    soundfile.write(file, y, RATE_HZ, compression_level=level, **how)
    file.seek(0)
    decoded, rate_hz = soundfile.read(file, dtype="float32")
    return soxr.resample(decoded, rate_hz, RATE_HZ) if rate_hz != RATE_HZ else decoded


def opus(y: Sound, kbps: float, rng: np.random.Generator) -> Sound:
    # libsndfile's scale for Opus is linear in bits: 0 is 256 kbit/s, 1 is 6.
    return through(y, 1.0 - (kbps - 6.0) / 250.0, rng, format="OGG", subtype="OPUS")


def mulaw(y: Sound, passes: float, rng: np.random.Generator) -> Sound:
    """Telephony: 8 kHz, 8 bit."""
    for _ in range(int(passes)):
        narrow = np.clip(soxr.resample(y, RATE_HZ, 8_000), -1.0, 1.0)
        steps = librosa.mu_compress(narrow, mu=255, quantize=True)
        y = soxr.resample(librosa.mu_expand(steps, mu=255, quantize=True).astype(np.float32), 8_000, RATE_HZ)
    return y


def muted(y: Sound, percent: float, rng: np.random.Generator) -> Sound:
    """Silence from somewhere on: the file is as long as it should be."""
    quiet = y.copy()
    quiet[round(len(y) * (1 - percent / 100)) :] = 0.0
    return quiet


def paced(line: Line, percent: float, rng: np.random.Generator) -> Sound:
    pace = round(line.timbre.words_per_minute * (1 + percent / 100))
    return speak(replace(line, timbre=replace(line.timbre, words_per_minute=pace)))


def flat(line: Line, percent: float, rng: np.random.Generator) -> Sound:
    """Less melody: the range of pitch shrinks by so much."""
    span = round(line.timbre.pitch_range * (1 - percent / 100))
    return speak(replace(line, timbre=replace(line.timbre, pitch_range=span)))


def another_speaker(line: Line, steps: float, rng: np.random.Generator) -> Sound:
    """A member of the cast so many places away; a place is a fifth in pitch, each member has formants of its own."""
    place = NAMES.index(line.timbre.name)
    other = place + int(steps) if place + int(steps) < len(NAMES) else place - int(steps)
    return speak(replace(line, timbre=CAST[NAMES[other]]))


def swapped(line: Line, pairs: float, rng: np.random.Generator) -> Sound:
    """So many pairs of words change places, no word twice: the same sounds, another sentence."""
    said = line.text.split()
    places = list(rng.permutation(len(said)))
    for _ in range(min(int(pairs), len(said) // 2)):
        one = places.pop()
        # Two that read alike would change nothing.
        unlike = [place for place in places if said[place].casefold() != said[one].casefold()]
        if not unlike:
            break
        other = unlike[0]
        places.remove(other)
        said[one], said[other] = said[other], said[one]
    return speak(replace(line, text=" ".join(said)))


def left_out(line: Line, words: float, rng: np.random.Generator) -> Sound:
    said = line.text.split()
    at = int(rng.integers(1, max(2, len(said) - int(words))))
    return speak(replace(line, text=" ".join(said[:at] + said[at + int(words) :])))


DEFECTS = (
    damaging("white noise", "dB SNR", (40, 30, 20), noise),
    damaging("mains hum", "dB SNR", (40, 30, 20), hum),
    damaging("overdriven to full scale", "dB", (1, 3, 6), overdrive),
    damaging("clipped, level kept", "dB", (3, 6, 12), clipped_inside),
    damaging("low pass", "Hz", (10_000, 6_000, 4_000), low_pass, reach_hz=(10_000, BAND_HZ, BAND_HZ)),
    damaging("high pass", "Hz", (150, 300, 500), high_pass),
    damaging("ten gaps", "ms", (5, 15, 30), gaps),
    damaging("dropped stretch", "s", (0.1, 0.2, 0.4), dropped),
    Defect(name="words left out", unit="words", strengths=(1, 2, 3), render=left_out),
    Defect(name="words swapped", unit="pairs", strengths=(1, 2, 3), render=swapped),
    damaging("tail cut off", "%", (5, 10, 25), cut_tail),
    damaging("tail silenced", "%", (5, 10, 25), muted),
    damaging("stretch said again", "s", (0.25, 0.5, 1.0), said_again),
    damaging("stutter, three times", "s", (0.05, 0.1, 0.2), stutter),
    damaging("pause put in", "s", (0.2, 0.5, 1.5), paused),
    damaging("silence before", "s", (0.05, 0.2, 1.0), late),
    damaging("silence after", "s", (0.1, 0.3, 1.0), trailing),
    damaging("all silent", "%", (100,), muted),
    damaging("softer", "dB", (1, 3, 6), softer),
    damaging("fading away", "dB", (3, 6, 12), fading),
    damaging("direct current", "of full scale", (0.001, 0.01, 0.05), offset),
    Defect(name="faster", unit="%", strengths=(5, 10, 20), render=paced),
    Defect(name="slower", unit="%", strengths=(-5, -10, -20), render=paced),
    damaging("wrong rate", "%", (2, 4, 8.8), wrong_rate),
    damaging("higher pitch", "semitones", (0.5, 1, 2), shifted),
    Defect(name="less melody", unit="%", strengths=(25, 50, 100), render=flat),
    Defect(name="another speaker", unit="voices away", strengths=(1, 2, 3), render=another_speaker),
    damaging("aliased", "samples held", (2, 3, 4), aliased, reach_hz=(BAND_HZ,) * 3),
    damaging("fewer bits", "bits", (10, 8, 6), fewer_bits),
    damaging("Opus", "kbit/s", (24, 12, 6), opus, reach_hz=(BAND_HZ,) * 3),
    damaging("telephone, mu-law", "passes", (1, 2, 3), mulaw, reach_hz=(BAND_HZ,) * 3),
)
