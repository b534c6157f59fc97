"""What a provider charges, from data/prices.toml. An unknown price is None: never guessed, never free."""

import hashlib
import math
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import ConfigError

__all__ = ["Price", "PriceList"]

_ANYWHERE: Final = "*"


class Price(BaseModel):
    """One row of the file: `usd` for `per` units of an item in a region, "unknown" where no source names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str
    region: str  # "*": everywhere that has no row of its own
    item: str  # a model, a kind of GPU, "cpu" or "memory"
    unit: Literal["characters", "voices", "gpu_s", "core_s", "gib_s", "input_tokens", "output_tokens"]
    usd: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None  # 0 would switch the budget off; None: unknown
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"  # in which it is listed
    listed: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = None  # for `per` units, in that currency
    per: Annotated[int, Field(gt=0)]
    as_of: date
    source: str

    @field_validator("usd", mode="before")
    @classmethod
    def _read_unknown(cls, value: object) -> object:
        """TOML has no null; and a price that was only forgotten shall not pass for one nobody knows."""
        return None if value == "unknown" else value

    @model_validator(mode="after")
    def _tell_what_is_listed(self) -> Self:
        """A price that was converted shows what it was converted from."""
        if self.currency != "USD" and self.listed is None:
            raise ValueError(f"a price in {self.currency} needs `listed`, the amount in that currency")
        return self


class PriceList:
    """All known prices, and `version`, the hash of the file they came from."""

    def __init__(self, prices: list[Price], version: str) -> None:
        self.version = version
        self._prices: dict[tuple[str, ...], Price] = {
            (price.provider, price.region, price.item, price.unit): price for price in prices
        }
        self._known = lru_cache(maxsize=1024)(self._microusd)  # one text is priced three times on its way

    @classmethod
    def load(cls, path: Path) -> Self:
        """The prices in `path`.

        Raises:
            ConfigError: The file is missing, no TOML, or has an unusable row; names row and key.
        """
        try:
            content = path.read_bytes()
            tables = tomllib.loads(content.decode(), parse_float=Decimal)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; CUTOVER_PRICES names the price file") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid TOML: {error}") from None
        return cls(_rows(path, tables), hashlib.sha256(content).hexdigest())

    def find(self, provider: str, region: str, item: str, unit: str) -> Price | None:
        """The row of an item in a region, be its price known or not; None when there is none."""
        here = self._prices.get((provider, region, item, unit))
        return here or self._prices.get((provider, _ANYWHERE, item, unit))

    def microusd(self, provider: str, region: str, item: str, unit: str, units: float) -> int | None:
        """The cost of `units` in micro-dollars, rounded up; None when the price is unknown.

        Raises:
            ValueError: `units` is negative or not finite.
        """
        if not math.isfinite(units) or units < 0:
            raise ValueError(f"{units} {unit} cannot be priced")
        return self._known(provider, region, item, unit, units)

    def _microusd(self, provider: str, region: str, item: str, unit: str, units: float) -> int | None:
        price = self.find(provider, region, item, unit)
        if price is None or price.usd is None:
            return None
        exact = price.usd * 1_000_000 * Decimal(str(units)) / price.per
        return int(exact.to_integral_value(rounding=ROUND_CEILING))

    def usd_each(self, provider: str, region: str, item: str, unit: str) -> Decimal | None:
        """The price of one unit in dollars, for sums that are rounded once; None when it is unknown."""
        price = self.find(provider, region, item, unit)
        return None if price is None or price.usd is None else price.usd / price.per

    def tokens_microusd(self, provider: str, region: str, item: str, tokens: Mapping[str, int]) -> int | None:
        """The cost of tokens by kind, in micro-dollars; None when the price of one kind is unknown."""
        amounts = [self.microusd(provider, region, item, kind, count) for kind, count in tokens.items()]
        return None if None in amounts else sum(amount for amount in amounts if amount is not None)


def _rows(path: Path, tables: dict[str, Any]) -> list[Price]:
    """Every `[[price]]` of the file, checked."""
    unknown = sorted(set(tables) - {"schema", "price"})
    if unknown:
        raise ConfigError(f"{path}: {unknown[0]} is not known; valid are schema and [[price]]")
    if tables.get("schema") != 1:
        raise ConfigError(f"{path}: schema is {tables.get('schema')}; this version reads 1")
    rows = tables.get("price")
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path}: has no [[price]]")
    prices: dict[tuple[str, ...], Price] = {}
    for number, row in enumerate(rows, start=1):
        price = _row(path, number, row)
        key = (price.provider, price.region, price.item, price.unit)
        if key in prices:
            raise ConfigError(f"{path}: [[price]] number {number} prices {' '.join(key)} a second time; remove one")
        prices[key] = price
    return list(prices.values())


def _row(path: Path, number: int, row: object) -> Price:
    try:
        return Price.model_validate(row)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        valid = f"; valid keys are {', '.join(Price.model_fields)}" if problem["type"] == "extra_forbidden" else ""
        raise ConfigError(f"{path}: [[price]] number {number}, key {key}: {problem['msg']}{valid}") from None
