"""The gates of a run laid out for the eye: where each estimate and its interval lie against the limit.

Gates have different units, so each is placed on one scale, its allowance: 0 is no difference from control (for an
absolute limit: nothing at all), 1 is the limit.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from analysis.units import amount, span
from dashboard.palette import OUTCOMES
from harness.judgement import Outcome

__all__ = ["RANGE", "allowance", "named", "numbers", "placed", "worst_first"]

RANGE: Final = (-0.5, 2.0)  # of allowances that are drawn; what lies beyond is cut at the edge
_NEUTRAL: Final = {"ratio": 1.0}  # what "no difference" is in a unit, where it is not 0
_SEVERITY: Final = [Outcome.INVALID, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS]


def named(gate: str, *, blocking: bool = True) -> str:
    """A gate's name as a heading: `cost_per_1k_chars` → `Cost per 1k chars`; an advisory one says so."""
    words = gate.replace("_", " ")
    return words[:1].upper() + words[1:] + ("" if blocking else " (advisory)")


def worst_first(gates: pl.DataFrame) -> list[str]:
    """The names of all gates, by their worst outcome in any operation, blocking before advisory, then as judged."""
    rank = {outcome.value: place for place, outcome in enumerate(_SEVERITY)}
    worst: dict[str, tuple[int, bool]] = {}
    for row in gates.iter_rows(named=True):
        place = (rank[row["outcome"]], not row["blocking"])
        worst[row["gate"]] = min(worst.get(row["gate"], place), place)
    return sorted(worst, key=lambda gate: worst[gate])


def allowance(value: float | None, *, limit: float, unit: str, spread: float) -> float | None:
    """How much of what is allowed `value` uses up: 0 for no difference, 1 at the limit.

    Args:
        value: In `unit`; None stays None.
        limit: The gate's limit.
        unit: The gate's unit.
        spread: How far the gate's numbers lie from the limit at most, above 0: the scale where nothing is allowed.
    """
    if value is None:
        return None
    if _allows_nothing(limit, unit):
        return 1.0 + (value - limit) / spread
    neutral = _NEUTRAL.get(unit, 0.0)
    return (value - neutral) / (limit - neutral)


def _allows_nothing(limit: float, unit: str) -> bool:
    """The limit is no difference: any is too much."""
    return math.isclose(limit, _NEUTRAL.get(unit, 0.0))


def numbers(row: Mapping[str, Any]) -> str:
    """A gate's estimate, interval and limit in its own unit, on one line."""
    if row["limit_value"] is None and row["estimate"] is None:
        return "no number"
    unit, signed = row["unit"], row["unit"] == "pp"
    estimate = amount(row["estimate"], unit, signed=signed)
    interval = _bare(span(row["low"], row["high"], unit, signed=signed))
    limit = _bare(amount(row["limit_value"], unit, signed=signed))
    estimate += " voices" if unit == "voices" else ""
    return _dashed(f"{estimate} ({interval}), limit {limit}" if interval != "–" else f"{estimate}, limit {limit}")


def _bare(words: str) -> str:
    """Numbers alone: their unit has just been said."""
    return _UNIT.sub("", words)


_UNIT: Final = re.compile(r"(?<=\d)( pp| %| s|x|/1k chars|/request)")


def _dashed(text: str) -> str:
    """With a true minus sign, which is not overlooked."""
    return text.replace("-", "−")


def placed(gates: pl.DataFrame) -> pl.DataFrame:
    """One row a gate and operation, with what a chart needs to draw it.

    Returns:
        Columns operation, gate, label, outcome, word, colour, numbers, reason; `drawn`, whether there is a number to
        draw; on the scale of allowances, clipped to `RANGE`, low and high, and the estimate where it lies inside;
        `cut_low` and `cut_high` say that the interval goes on beyond the edge.
    """
    rows = [_placed(row) for row in gates.filter(pl.col("segment").is_null()).iter_rows(named=True)]
    return pl.DataFrame(rows, schema=_SCHEMA)


_TEXTS = ("operation", "gate", "label", "outcome", "word", "colour", "numbers", "reason")
_SCHEMA: Final = pl.Schema(
    {
        **dict.fromkeys(_TEXTS, pl.String()),
        **dict.fromkeys(("estimate", "low", "high"), pl.Float64()),
        **dict.fromkeys(("drawn", "cut_low", "cut_high"), pl.Boolean()),
    }
)


def _placed(row: Mapping[str, Any]) -> dict[str, Any]:
    look = OUTCOMES[Outcome(row["outcome"])]
    estimate, low, high = _allowances(row)
    left, right = RANGE
    return {
        "operation": row["operation"],
        "gate": row["gate"],
        "label": named(row["gate"], blocking=row["blocking"]),
        "outcome": row["outcome"],
        "word": f"{look.glyph} {look.word}",
        "colour": look.colour,
        "numbers": numbers(row),
        "reason": row["reason"],
        "drawn": low is not None,
        "estimate": estimate if estimate is not None and left <= estimate <= right else None,
        "low": None if low is None else min(max(low, left), right),
        "high": None if high is None else min(max(high, left), right),
        "cut_low": low is not None and low < left,
        "cut_high": high is not None and high > right,
    }


def _allowances(row: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Estimate, low and high as allowances; all None where there is nothing to draw.

    An end that the interval lacks is infinite. No broken voice where none is allowed has no place to be drawn at.
    """
    limit = row["limit_value"]
    known = [value for value in (row["estimate"], row["low"], row["high"]) if value is not None]
    spread = max((abs(value - limit) for value in known), default=0.0) if limit is not None else 0.0
    if not spread and (not known or limit is None or _allows_nothing(limit, row["unit"])):
        return None, None, None
    estimate, low, high = (
        allowance(row[key], limit=limit, unit=row["unit"], spread=spread) for key in ("estimate", "low", "high")
    )
    if low is None and high is None:
        return estimate, estimate, estimate
    return estimate, -math.inf if low is None else low, math.inf if high is None else high
