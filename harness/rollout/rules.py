"""The rules of the live path as nouns, read from data/rollout.toml or a file of the same form."""

import math
import tomllib
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from harness.config import PROJECT
from harness.errors import ConfigError
from harness.rollout.trip import TripAction
from harness.routing.breaker import BreakerRules
from harness.routing.cusum import CusumRule

__all__ = [
    "DEFAULT_RULES",
    "AudioRules",
    "BurnRules",
    "BurnWindow",
    "Rules",
    "SecurityRules",
    "SpendRules",
    "StageRules",
    "load_rules",
]

DEFAULT_RULES: Final = PROJECT / "data" / "rollout.toml"


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

    def __post_init__(self) -> None:
        """Refuse an objective that allows no failure at all, or any."""
        if not 0 < self.objective < 1:
            raise ValueError(f"objective must lie between 0 and 1, not at {self.objective}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRules:
    """What Qwen may cost."""

    plan_usd_per_1k_chars: float
    max_ratio: float
    min_requests: int
    hour_usd: float | None = None  # no default is safe for everybody
    day_usd: float | None = None

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
class SecurityRules:
    """What a record of the security gate must be to count."""

    max_age_d: float = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All of them."""

    breaker: BreakerRules
    stage: StageRules
    burn: BurnRules
    spend: SpendRules
    audio: AudioRules
    security: SecurityRules = SecurityRules()  # so that a file from before the gate is still read


def load_rules(path: Path = DEFAULT_RULES) -> Rules:
    """The rules in `path`.

    Raises:
        ConfigError: The file is missing, no TOML, or holds an unknown key or an unusable value; says which.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; the rules of the live path are needed") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    if table.pop("schema", None) != 1:
        raise ConfigError(f"{path}: needs schema = 1, which this version reads")
    rules: Rules = _build(Rules, table, f"{path}:")
    return rules


def _build(kind: Any, value: object, where: str) -> Any:
    """`value` as a `kind`: a dataclass by its fields, a tuple by its items, anything else as pydantic reads it."""
    if is_dataclass(kind):
        return _build_noun(kind, value, where)
    if get_origin(kind) is tuple and is_dataclass(get_args(kind)[0]):
        items = value if isinstance(value, list) else [value]
        return tuple(_build(get_args(kind)[0], item, f"{where} number {n},") for n, item in enumerate(items, start=1))
    try:
        built = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"{where} {error.errors(include_url=False)[0]['msg']}") from None
    numbers = built if isinstance(built, tuple) else (built,)
    if not where.endswith("_db") and not all(_is_positive(number) for number in numbers):
        raise ConfigError(f"{where} must be a number above 0")
    return built


def _is_positive(number: object) -> bool:
    return not isinstance(number, int | float) or 0 < number < math.inf


def _build_noun(kind: Any, value: object, where: str) -> Any:
    known = [each.name for each in fields(kind) if each.init]
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is no table; it holds {', '.join(known)}")
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ConfigError(f"{where} {unknown[0]} is not known; valid are {', '.join(known)}")
    needed = [each.name for each in fields(kind) if each.init and each.default is MISSING and each.name not in value]
    if needed:
        raise ConfigError(f"{where} {needed[0]} is missing; set it")
    hints = get_type_hints(kind)
    built = {name: _build(hints[name], each, f"{where} {name}") for name, each in value.items()}
    try:
        return kind(**built)
    except ValueError as error:
        raise ConfigError(f"{where} {error}") from None
