"""The gates of a run laid out for the eye: where each estimate and its interval lie against the limit.

Gates have different units, so each is placed on one scale, its allowance: 0 is no difference from control (for an
absolute limit: nothing at all), 1 is the limit.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from analysis.units import amount
from dashboard.palette import OUTCOMES
from harness.judgement import Outcome

__all__ = ["RANGE", "allowance", "named", "numbers", "placed", "worst_first"]

RANGE: Final = (-0.5, 2.0)  # of allowances that are drawn; what lies beyond is cut at the edge
_NEUTRAL: Final = {"ratio": 1.0}  # what "no difference" is in a unit, where it is not 0
_SEVERITY: Final = [Outcome.INVALID, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS]


def named(gate: str) -> str:
    """A gate's name as a heading: `cost_per_1k_chars` → `Cost per 1k chars`."""
    words = gate.replace("_", " ")
    return words[:1].upper() + words[1:]


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
        spread: The farthest that the gate's numbers lie from the limit: the scale where the limit allows nothing.
    """
    if value is None:
        return None
    neutral = _NEUTRAL.get(unit, 0.0)
    if math.isclose(limit, neutral):
        return 1.0 + (value - limit) / (spread or 1.0)
    return (value - neutral) / (limit - neutral)


def numbers(row: Mapping[str, Any]) -> str:
    """A gate's estimate, interval and limit in its own unit, on one line."""
    if row["limit_value"] is None and row["estimate"] is None:
        return "no number"
    estimate, low, high, limit = (_brief(row[key], row["unit"]) for key in ("estimate", "low", "high", "limit_value"))
    interval = "" if row["low"] is None and row["high"] is None else f" ({low} to {high})"
    return f"{estimate}{interval}, limit {limit}"


def _brief(value: float | None, unit: str) -> str:
    words = amount(value, unit, signed=unit == "pp")
    return words.replace(" per 1k characters", "").replace(" per request", "")


def placed(gates: pl.DataFrame) -> pl.DataFrame:
    """One row a gate and operation, with what a chart needs to draw it.

    Returns:
        Columns operation, gate, label, outcome, word, colour, numbers, reason, and on the scale of allowances clipped
        to `RANGE`: estimate, low, high (null where there is nothing to draw); `cut_low` and `cut_high` say that the
        interval goes on beyond the edge.
    """
    rows = [_placed(row) for row in gates.filter(pl.col("segment").is_null()).iter_rows(named=True)]
    return pl.DataFrame(rows, schema=_SCHEMA)


_TEXTS = ("operation", "gate", "label", "outcome", "word", "colour", "numbers", "reason")
_SCHEMA: Final = pl.Schema(
    {
        **dict.fromkeys(_TEXTS, pl.String()),
        **dict.fromkeys(("estimate", "low", "high"), pl.Float64()),
        **dict.fromkeys(("cut_low", "cut_high"), pl.Boolean()),
    }
)


def _placed(row: Mapping[str, Any]) -> dict[str, Any]:
    look = OUTCOMES[Outcome(row["outcome"])]
    estimate, low, high = _allowances(row)
    left, right = RANGE
    if low is None and high is None:  # only the estimate is drawn
        low = high = estimate
    low, high = (left if low is None else low), (right if high is None else high)
    drawn = row["limit_value"] is not None and row["estimate"] is not None
    return {
        "operation": row["operation"],
        "gate": row["gate"],
        "label": named(row["gate"]),
        "outcome": row["outcome"],
        "word": f"{look.glyph} {look.word}" + ("" if row["blocking"] else ", advisory"),
        "colour": look.colour,
        "numbers": numbers(row),
        "reason": row["reason"],
        "estimate": _clipped(estimate) if drawn and estimate is not None else None,
        "low": _clipped(low) if drawn and low is not None else None,
        "high": _clipped(high) if drawn and high is not None else None,
        "cut_low": drawn and low is not None and low <= left,
        "cut_high": drawn and high is not None and high >= right,
    }


def _allowances(row: Mapping[str, Any]) -> list[float | None]:
    limit = row["limit_value"]
    values = [row[key] for key in ("estimate", "low", "high")]
    if limit is None:
        return [None, None, None]
    spread = max((abs(value - limit) for value in values if value is not None), default=0.0)
    return [allowance(value, limit=limit, unit=row["unit"], spread=spread) for value in values]


def _clipped(value: float) -> float:
    return min(max(value, RANGE[0]), RANGE[1])
