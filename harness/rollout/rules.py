"""The rules of the live path as nouns, read from rules.toml or a file of the same form."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from harness.errors import ConfigError
from harness.routing.breaker import BreakerRules
from harness.routing.cusum import CusumRule
from harness.rollout.trip import TripAction

__all__ = ["DEFAULT_RULES", "AudioRules", "BurnRules", "BurnWindow", "Rules", "SpendRules", "StageRules", "load_rules"]

DEFAULT_RULES: Final = Path(__file__).with_name("rules.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRules:
    """What the breakers of all processes together mean."""

    openings: int
    within_s: float
    errors: CusumRule


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnWindow:
    """How fast the allowance of failed callers may burn, over two windows at once."""

    factor: float  # of the speed that uses it up in exactly its 30 days
    long_s: int
    short_s: int  # so that the alarm ends soon after its cause
    action: TripAction


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRules:
    """The objective for callers."""

    objective: float  # share of callers who get speech
    min_bad: int
    windows: tuple[BurnWindow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRules:
    """What Qwen may cost."""

    hour_usd: float | None
    day_usd: float | None
    plan_usd_per_1k_chars: float
    max_ratio: float
    min_requests: int

    @property
    def has_caps(self) -> bool:
        """Whether somebody decided how much may be spent."""
        return self.hour_usd is not None and self.day_usd is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRules:
    """What no listener would accept."""

    trouble: CusumRule
    silent_below_db: float
    clipped_share: float
    min_s_per_char: float
    max_s_per_char: float
    spare_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All of them."""

    breaker: BreakerRules
    stage: StageRules
    burn: BurnRules
    spend: SpendRules
    audio: AudioRules


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1]


def load_rules(path: Path = DEFAULT_RULES) -> Rules:
    raise NotImplementedError
