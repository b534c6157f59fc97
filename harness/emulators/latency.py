"""How long the real services take, in their own seconds: lognormal around a line over the length of the text."""

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from types import MappingProxyType
from typing import Final

from harness.errors import UsageError

__all__ = [
    "DEPLOYMENTS",
    "QWEN_CLONE",
    "QWEN_DESIGN",
    "QWEN_FIRST_PIECE",
    "QWEN_SPEECH",
    "VLLM_FIRST_PIECE_S",
    "VLLM_SPEECH",
    "Deployment",
    "Latency",
    "deployment",
    "stall_s",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A distribution over the length of the text, counted as billed characters: Han is spoken twice as long."""

    base_s: float
    per_char_s: float
    spread: float  # standard deviation of the logarithm

    def median_s(self, chars: int) -> float:
        """Half of the calls for so long a text are faster."""
        return self.base_s + self.per_char_s * chars

    def quantile_s(self, chars: int, share: float) -> float:
        """That share of the calls for so long a text is faster."""
        return self.median_s(chars) * math.exp(self.spread * NormalDist().inv_cdf(share))

    def draw_s(self, chars: int, random: Random) -> float:
        """One call."""
        return self.median_s(chars) * random.lognormvariate(0.0, self.spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An open model on a GPU."""

    gpu: str  # as data/prices.toml names it
    latency: Latency
    cold_start_s: tuple[float, float]  # fastest and slowest


# Lines through the two measured points of providers.md B2: 56 and 800 characters took 14.6 and 113 s with 1.7B, 11.1
# and 87.6 s with 0.6B. The spread is ours: two calls alike, within a fifth of each other more often than not.
DEPLOYMENTS: Final = MappingProxyType(
    {
        "Qwen3-TTS-12Hz-1.7B-Base": Deployment(
            gpu="A10G",
            latency=Latency(base_s=7.2, per_char_s=0.1323, spread=0.15),
            cold_start_s=(68.0, 108.0),
        ),
        "Qwen3-TTS-12Hz-0.6B-Base": Deployment(
            gpu="A10G",
            latency=Latency(base_s=5.34, per_char_s=0.1028, spread=0.15),
            cold_start_s=(26.0, 32.0),
        ),
    }
)


def deployment(model: str) -> Deployment:
    """The deployment of a model.

    Raises:
        UsageError: Nobody measured it; lists those that were.
    """
    if model not in DEPLOYMENTS:
        raise UsageError(f"no measured latency for model {model!r}; choose one of {', '.join(DEPLOYMENTS)}")
    return DEPLOYMENTS[model]


# A hosting provider reports the first piece within 150 ms and about 1 s for 100 characters (B2); the cold start is that
# of the same container.
VLLM_SPEECH: Final = Latency(base_s=0.15, per_char_s=0.0085, spread=0.15)
VLLM_FIRST_PIECE_S: Final = 0.15

# No measurement of the hosted service was found (providers.md F). A hosting provider reports about 1 s for 100
# characters without streaming (B2); hosted Qwen is set somewhat slower, and far faster than the legacy path.
QWEN_SPEECH: Final = Latency(base_s=0.9, per_char_s=0.014, spread=0.30)
# To the first piece of a stream; the vendor's own figure is 97 ms for the model alone (providers.md C), without queue,
# network or checks.
QWEN_FIRST_PIECE: Final = Latency(base_s=0.35, per_char_s=0.0, spread=0.25)
QWEN_CLONE: Final = Latency(base_s=3.0, per_char_s=0.0, spread=0.25)  # a guess: synchronous, no audio comes back
QWEN_DESIGN: Final = Latency(base_s=12.0, per_char_s=0.05, spread=0.15)  # 10 to 20 s in one project (A5)


def stall_s(chars: int, random: Random) -> float:
    """A call that hangs in a queue for longer than nearly every call of the legacy path takes.

    The constant is there for short texts: their share of a mixed load would otherwise stay below its 95th percentile.
    """
    legacy = DEPLOYMENTS["Qwen3-TTS-12Hz-1.7B-Base"].latency
    return 30.0 + legacy.quantile_s(chars, 0.95) * random.uniform(3.0, 4.0)
