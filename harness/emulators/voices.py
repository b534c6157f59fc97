"""Speak a text in a timbre, the way the legacy path or the hosted service would render it.

Deterministic: the same `Line` gives the same samples. A second call for the same words carries another `take` and
differs a little in pace, pitch, pauses and noise, as two runs of a sampling model do.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
import soxr

from harness.emulators import espeak as engine
from harness.emulators.audio import RATE_HZ, Samples
from harness.emulators.knobs import PLAIN, Knobs
from harness.emulators.timbres import Timbre

__all__ = ["Line", "Rendition", "guess_language", "speak"]


class Rendition(StrEnum):
    """Through which chain a voice comes: recognisably the same voice, audibly not the same chain."""

    LEGACY = "legacy"  # dull and dry
    HOSTED = "hosted"  # brighter, in a small room, with another silence before the first word


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is to be spoken, by whom, and which take it is."""

    text: str
    language: str | None  # ISO 639-1; None guesses from the script
    timbre: Timbre
    rendition: Rendition
    take: int  # seed of the small differences between two calls
    knobs: Knobs = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """The sound of one rendition."""

    tilt: float  # weight of the sample before: positive dulls, negative brightens
    room: tuple[tuple[float, float], ...]  # (delay in s, gain) of its reflections
    lead_s: tuple[float, float]  # silence before the first word, least and most
    tail_s: tuple[float, float]
    level_db: float  # RMS over the whole, dBFS


# At one RMS both are equally loud within 0.2 LU (ITU-R BS.1770, measured on the whole cast); 0.4 dB are on purpose.
_CHAINS: Final = MappingProxyType(
    {
        Rendition.LEGACY: _Chain(tilt=0.12, room=(), lead_s=(0.03, 0.07), tail_s=(0.05, 0.12), level_db=-21.0),
        Rendition.HOSTED: _Chain(
            tilt=-0.10, room=((0.0071, 0.10), (0.0113, 0.06)), lead_s=(0.02, 0.05), tail_s=(0.04, 0.10), level_db=-21.4
        ),
    }
)

_NOISE_RMS: Final = 10 ** (-72 / 20)  # a quiet recording; digital silence would look like a fault
_SHARED_NOISE: Final = np.random.default_rng(24_000).standard_normal(1 << 19).astype(np.float32) * np.float32(
    _NOISE_RMS
)

_VOICES: Final = MappingProxyType({"zh": "cmn", "en": "en-US", "pt": "pt-BR"})  # the others bear their ISO code

# A language has its own melody: without these steps of pitch, one voice would lie 7 % lower in Mandarin and 4 % higher
# in Spanish than its median over all ten (measured, two sentences each).
_PITCH_STEPS: Final = MappingProxyType({"zh": 8, "ja": 3, "ko": -4, "ru": -3, "es": -6, "en": -1, "fr": 1})
_RATIO_OF_STEP: Final = 1.0082  # measured on eight variants between 30 and 90


def speak(line: Line) -> Samples:
    """The line, mono at 24 kHz; text without a pronounceable character gives the silences alone.

    Raises:
        ConfigError: espeak-ng is not installed or lacks a voice.
    """
    random = np.random.default_rng(line.take)
    chain = _CHAINS[line.rendition]
    voice = _spoken(line, pace=random.uniform(0.98, 1.02), bend=random.uniform(0.99, 1.01))
    lead = int(random.uniform(*chain.lead_s) * RATE_HZ)
    tail = int(random.uniform(*chain.tail_s) * RATE_HZ)
    samples = _noise(lead + len(voice) + tail, int(random.integers(len(_SHARED_NOISE) // 2)))
    samples[lead : lead + len(voice)] += _through(chain, voice)
    return samples if line.knobs == PLAIN else line.knobs.turned(samples, seed=line.take)


def _spoken(line: Line, *, pace: float, bend: float) -> Samples:
    """The bare voice at 24 kHz; `pace` and `bend` are factors on tempo and pitch."""
    timbre = line.timbre
    language = line.language or guess_language(line.text)
    # Reading the samples faster than they were made raises formants and pitch together, at no cost: the resampling
    # to 24 kHz happens anyway. The pitch is then set back and the tempo with it.
    shift = timbre.formant_shift * bend
    wanted = np.log(line.knobs.pitch) - np.log(timbre.formant_shift)
    steps = _PITCH_STEPS.get(language, 0) + round(wanted / np.log(_RATIO_OF_STEP))
    raw = engine.espeak().speak(
        _readable(line.text, language),
        voice=f"{_VOICES.get(language, language)}+{timbre.variant}",
        words_per_minute=round(timbre.words_per_minute * line.knobs.pace * pace / shift),
        pitch=50 + steps,
        pitch_range=timbre.pitch_range,
    )
    resampled: Samples = soxr.resample(raw.astype(np.float32), engine.RATE_HZ * shift, RATE_HZ, quality="MQ")
    return resampled


def _through(chain: _Chain, voice: Samples) -> Samples:
    """`voice` with the chain's tilt, room and level."""
    if not len(voice):
        return voice
    wet = voice.copy()
    wet[1:] += np.float32(chain.tilt) * voice[:-1]
    for delay_s, gain in chain.room:
        delay = int(delay_s * RATE_HZ)
        wet[delay:] += np.float32(gain) * voice[:-delay]
    rms = float(np.sqrt(np.dot(wet, wet) / len(wet)))
    peak = max(float(wet.max()), -float(wet.min()))
    if peak == 0.0:
        return wet
    wet *= np.float32(min(10 ** (chain.level_db / 20) / rms, 0.97 / peak))
    return wet


def _noise(count: int, start: int) -> Samples:
    """`count` samples of the shared noise from `start` on; drawing them anew would cost a millisecond."""
    return np.resize(_SHARED_NOISE[start:], count)


_SCRIPTS: Final = (  # the first that occurs decides: Japanese mixes kana with Han
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
)


def guess_language(text: str) -> str:
    """The language a text's script speaks for; English for Latin script."""
    return next((language for language, script in _SCRIPTS if script.search(text)), "en")


_HAN: Final = re.compile("[\u3005\u3400-\u9fff\uf900-\ufaff]")
_MORAS: Final = "あいうえおかきくけこさしすせそたちつてとなにぬねのまみむめもやゆよらりるれろ"


def _readable(text: str, language: str) -> str:
    """`text` as espeak-ng can read it."""
    text = unicodedata.normalize("NFC", text)
    if language != "ja":
        return text
    # espeak-ng knows no reading of kanji and says "Chinese letter" for each. Two moras picked by the character give
    # the length and rhythm of speech; the words are not meant to be understood.
    return _HAN.sub(lambda match: _two_moras(ord(match[0])), text)


def _two_moras(code: int) -> str:
    return _MORAS[code % len(_MORAS)] + _MORAS[code // len(_MORAS) % len(_MORAS)]
