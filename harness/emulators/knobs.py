"""How far a stand-in's voices are from what they would be: so that the difference of two providers can be chosen.

Louder than full scale clips, as it does on a real device.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from harness.emulators.audio import RATE_HZ, Samples
from harness.errors import UsageError

__all__ = ["PLAIN", "Knobs", "knobs_from"]

_RANGES: Final = MappingProxyType(
    {
        "pitch": (0.75, 1.33),
        "pace": (0.5, 2.0),
        "gain_db": (-60.0, 60.0),
        "noise_db": (-120.0, 0.0),
        "silence_s": (0.0, 60.0),
        "keep": (0.0, 1.0),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """Changes to every voice; the defaults change nothing."""

    pitch: float = 1.0  # factor on the fundamental
    pace: float = 1.0  # factor on words per minute
    gain_db: float = 0.0
    noise_db: float = -120.0  # RMS of added white noise, dBFS; the least adds none
    silence_s: float = 0.0  # before the first word
    keep: float = 1.0  # share of the audio; the rest is cut off without a word

    def turned(self, samples: Samples, *, seed: int) -> Samples:
        """The samples with gain, noise, silence and cut; pitch and pace are spoken, not made afterwards."""
        if self.gain_db:
            samples = samples * np.float32(10 ** (self.gain_db / 20))
        if self.noise_db > _RANGES["noise_db"][0]:
            noise = np.random.default_rng(seed).standard_normal(len(samples)).astype(np.float32)
            samples = samples + noise * np.float32(10 ** (self.noise_db / 20))
        if self.silence_s:
            samples = np.concatenate((np.zeros(int(self.silence_s * RATE_HZ), dtype=np.float32), samples))
        if self.keep < 1.0:
            samples = samples[: int(self.keep * len(samples))]
        clipped: Samples = np.clip(samples, -1.0, 1.0)
        return clipped


PLAIN: Final = Knobs()


def knobs_from(pairs: Iterable[str]) -> Knobs:
    """The knobs in texts like `gain_db=6`.

    Raises:
        UsageError: There is no such knob, or it cannot be turned so far; says what is valid.
    """
    chosen = asdict(PLAIN)
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if name not in chosen:
            raise UsageError(f"--sound {pair}: no knob {name!r}; valid are {', '.join(_RANGES)}")
        least, most = _RANGES[name]
        if not least <= value <= most:
            raise UsageError(f"--sound {pair}: {name} takes {least:g} to {most:g}")
        chosen[name] = value
    return Knobs(**chosen)
