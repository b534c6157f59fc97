"""Who speaks at a stand-in, and how a voice is recognised again by listening to it.

Both stand-ins must give one voice the same sound, yet Modal keeps no voices: a designed voice reaches it only as the
recording of its preview. So a clone is made by listening on both sides, and a designed voice is drawn from a cast whose
members lie so far apart in pitch (a factor of 1.2) that listening to a preview finds the member again.
"""

import hashlib
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import soxr

from harness.emulators.audio import Recording, Samples

__all__ = ["CAST", "Timbre", "median_pitch_hz", "timbre_of_description", "timbre_of_recording", "timbre_of_speaker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timbre:
    """How one voice sounds, in terms of espeak-ng."""

    name: str
    variant: str  # a file of the folder `variants`: sets formants and pitch
    median_hz: float  # of the fundamental, mean over the ten languages, measured
    pitch_range: int = 45  # 0 to 100
    words_per_minute: int = 172
    formant_shift: float = 1.0  # of all formants; the pitch is set back by as much


def _member(name: str, median_hz: float, words_per_minute: int = 172) -> Timbre:
    return Timbre(name=name, variant=name, median_hz=median_hz, words_per_minute=words_per_minute)


# The pitches are a factor 1.2 apart: one spoken sentence is heard within 7 % of its voice's median.
CAST: Final = MappingProxyType(
    {
        timbre.name: timbre
        for timbre in (
            _member("bass", 84.0, 166),
            _member("baritone", 101.0),
            _member("tenor", 121.0, 176),
            _member("contralto", 145.0),
            _member("alto", 174.0, 168),
            _member("mezzo", 209.0, 178),
            _member("soprano", 251.0),
        )
    }
)
_MEN: Final = ("bass", "baritone", "tenor")
_WOMEN: Final = ("contralto", "alto", "mezzo", "soprano")
_NAMES_OF_MEN: Final = frozenset(
    [
        "ethan",
        "moon",
        "kai",
        "nofish",
        "ryan",
        "aiden",
        "eldric sage",
        "mochi",
        "vincent",
        "neil",
        "arthur",
        "pip",
        "andre",
        "dylan",
        "li",
        "marcus",
        "roy",
        "peter",
        "eric",
        "rocky",
        "bodega",
        "alek",
        "dolce",
        "lenn",
        "emilien",
        "radio gol",
        "uncle fu",
    ]
)


def _drawn(words: str, purpose: str, count: int) -> int:
    """A number below `count` that depends on nothing but the arguments."""
    return int.from_bytes(hashlib.sha256(f"{purpose}\0{words}".encode()).digest()[:8]) % count


def timbre_of_speaker(name: str) -> Timbre:
    """The timbre of a preset speaker, alike for the spellings `Ono_Anna` and `Ono Anna`.

    Some fifty presets share the cast, so each also gets a shade of its own.
    """
    plain = name.replace("_", " ").casefold()
    group = _MEN if plain in _NAMES_OF_MEN else _WOMEN
    member = CAST[group[_drawn(plain, "speaker", len(group))]]
    shift = (0.94, 0.97, 1.0, 1.03, 1.06)[_drawn(plain, "formants", 5)]
    pace = (160, 168, 176, 184)[_drawn(plain, "pace", 4)]
    return replace(member, name=plain, formant_shift=shift, words_per_minute=pace)


def timbre_of_description(description: str) -> Timbre:
    """The member of the cast that a voice described in these words gets, always the same one.

    The real service answers one description with another voice each time; here it must be the voice of the preview
    that the legacy path was given.
    """
    return list(CAST.values())[_drawn(description, "description", len(CAST))]


def timbre_of_recording(recording: Recording) -> Timbre:
    """The member of the cast whose pitch comes nearest to what is heard; the middle one when nothing is voiced."""
    heard_hz = median_pitch_hz(recording.samples, rate_hz=recording.rate_hz)
    if not heard_hz:
        return CAST["contralto"]
    return min(CAST.values(), key=lambda timbre: abs(np.log(timbre.median_hz / heard_hz)))


_LISTEN_HZ: Final = 8_000
_FRAME, _HOP = 512, 256  # 64 ms holds four periods at 65 Hz
_LOWEST_HZ, _HIGHEST_HZ = 65, 400
_VOICED: Final = 0.6  # normalised autocorrelation; below it a frame has no clear period
_NEARLY_BEST: Final = 0.85  # the first peak this high is the period, a later one its multiple
_LISTEN_S: Final = 20.0  # a median needs no more


def median_pitch_hz(samples: Samples, *, rate_hz: int) -> float:
    """Median fundamental of the voiced frames by autocorrelation; 0.0 when none is voiced."""
    heard = soxr.resample(samples[: int(_LISTEN_S * rate_hz)], rate_hz, _LISTEN_HZ, quality="LQ")
    if len(heard) < _FRAME:
        return 0.0
    correlation = _autocorrelation(heard)
    low, high = _LISTEN_HZ // _HIGHEST_HZ, _LISTEN_HZ // _LOWEST_HZ
    window = correlation[:, low : high + 1]
    best = window.max(axis=1)
    window = window[best > _VOICED]
    if not len(window):
        return 0.0
    inner = window[:, 1:-1]
    peaks = (inner >= window[:, :-2]) & (inner >= window[:, 2:])
    peaks &= inner > _NEARLY_BEST * window.max(axis=1, keepdims=True)
    lags = np.where(peaks.any(axis=1), peaks.argmax(axis=1) + 1, window.argmax(axis=1)) + low
    return float(np.median(_LISTEN_HZ / lags))


def _autocorrelation(heard: Samples) -> Samples:
    """Of each louder frame, with the window's own taken out; 1.0 at lag 0, shape (frames, lags)."""
    frames = np.lib.stride_tricks.sliding_window_view(heard, _FRAME)[::_HOP]
    window = np.hanning(_FRAME).astype(np.float32)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    energy = (frames * frames).sum(axis=1)
    frames = frames[energy > max(0.1 * float(energy.max()), 1e-6)]
    power = np.abs(np.fft.rfft(frames, 2 * _FRAME)) ** 2
    correlation = np.fft.irfft(power)[:, :_FRAME]
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * _FRAME)) ** 2)[:_FRAME]
    correlation = correlation / np.maximum(shape, 1e-3 * shape[0])
    normalised: Samples = correlation / correlation[:, :1]
    return normalised
