"""Four things no listener would accept, found in samples that are at hand anyway. The nightly judge hears far more."""

import array
import math
import sys
from dataclasses import dataclass

from harness.rollout.outcomes import AudioTrouble
from harness.rollout.rules import AudioRules

__all__ = ["AudioFacts", "listen", "troubles_of"]

_FULL_SCALE = 32_768
_STRIDE = 8  # 3,000 samples a second of speech are plenty for a peak, and cost a millisecond for ten seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """What is known of one answer."""

    duration_s: float
    peak_db: float  # relative to full scale; -inf for digital silence
    clipped_share: float  # of samples at full scale


def listen(pcm: bytes, *, rate_hz: int) -> AudioFacts:
    """The facts of mono samples: 16 bit, signed, little endian; a last odd byte is passed over."""
    samples = array.array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    duration_s = len(samples) / rate_hz
    some = samples[::_STRIDE]
    if not some:
        return AudioFacts(duration_s=duration_s, peak_db=-math.inf, clipped_share=0.0)
    peak = max(max(some), -min(some))
    clipped = some.count(_FULL_SCALE - 1) + some.count(-_FULL_SCALE) if peak >= _FULL_SCALE - 1 else 0
    return AudioFacts(
        duration_s=duration_s,
        peak_db=20 * math.log10(peak / _FULL_SCALE) if peak else -math.inf,
        clipped_share=clipped / len(some),
    )


def troubles_of(facts: AudioFacts, *, chars: int, rules: AudioRules) -> tuple[AudioTrouble, ...]:
    """What is wrong with an answer to a text of `chars` billed characters; empty when nothing is."""
    if facts.duration_s == 0:
        return (AudioTrouble.EMPTY,)
    found = []
    if facts.peak_db < rules.silent_below_db:
        found.append(AudioTrouble.SILENT)
    if facts.clipped_share > rules.clipped_share:
        found.append(AudioTrouble.CLIPPED)
    longest_s = rules.spare_s + chars * rules.max_s_per_char
    if not chars * rules.min_s_per_char <= facts.duration_s <= longest_s:
        found.append(AudioTrouble.ABSURD_DURATION)
    return tuple(found)
