"""Draw the gates of a run: a row a gate, a column an operation, every interval against its limit.

Where things lie is worked out in gate_table.py.
"""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from dashboard.gate_table import RANGE, placed, worst_first
from dashboard.palette import OUTCOMES
from harness.judgement import Outcome

__all__ = ["gate_matrix"]

_ROW_PX: Final = 38
_FONT_PX: Final = 12
_FAINT: Final = 0.35  # opacity of lines that only guide the eye
_LIMIT_COLOUR: Final = OUTCOMES[Outcome.FAIL].colour


def gate_matrix(gates: pl.DataFrame, operations: Sequence[str], *, ink: str) -> alt.LayerChart | alt.FacetChart:
    """A row a gate and a column an operation: the interval of each finding against its limit.

    Args:
        gates: Rows of the table `gates`.
        operations: The columns, left to right.
        ink: Colour of words.
    """
    frame = placed(gates).filter(pl.col("operation").is_in(list(operations)))
    order = {gate: place for place, gate in enumerate(worst_first(gates))}
    labels = frame.sort(pl.col("gate").replace_strict(order))["label"].unique(maintain_order=True).to_list()
    cells = frame.with_columns(
        column=pl.col("operation").replace_strict({name: i for i, name in enumerate(operations)}, return_dtype=pl.Int64)
    ).with_columns(
        *(_across(name).alias(name) for name in ("estimate", "low", "high")),
        left=pl.col("column") + _MARGIN,
        right=pl.col("column") + 1 - _MARGIN,
    )
    base = alt.Chart(cells).encode(y=alt.Y("label:N", sort=labels, title=None, axis=_row_axis(ink)))
    layers = [_beyond(operations, ink), *_limit_layers(base, ink), *_interval_layers(base), *_word_layers(base, ink)]
    return alt.layer(
        *layers,
        height=_ROW_PX * len(labels),
        config=alt.Config(view=alt.ViewConfig(stroke=None), axis=alt.AxisConfig(grid=False, domain=False, ticks=False)),
    )


_MARGIN: Final = 0.03  # of a column's width, free on both sides


def _across(name: str) -> pl.Expr:
    """From the scale of allowances to the place across the chart, where each operation is one unit wide."""
    low, high = RANGE
    return pl.col("column") + _MARGIN + (1 - 2 * _MARGIN) * (pl.col(name) - low) / (high - low)


def _place(allowance: float) -> float:
    low, high = RANGE
    return _MARGIN + (1 - 2 * _MARGIN) * (allowance - low) / (high - low)


def _row_axis(ink: str) -> alt.Axis:
    return alt.Axis(labelFontSize=13, labelFontWeight=600, labelColor=ink, labelLimit=180, labelPadding=12)


def _column_axis(operations: Sequence[str], ink: str) -> alt.Axis:
    """The operations' names above their columns."""
    middles = [place + 0.5 for place in range(len(operations))]
    names = " : ".join(f"datum.value == {at} ? '{name}'" for at, name in zip(middles, operations, strict=True))
    return alt.Axis(
        orient="top",
        values=middles,
        labelExpr=f"{names} : ''",
        labelFontSize=13,
        labelFontWeight=600,
        labelColor=ink,
        title=None,
    )


def _beyond(operations: Sequence[str], ink: str) -> alt.Chart:
    """What lies beyond the limit is shaded."""
    rows = [{"limit": place + _place(1.0), "end": place + 1 - _MARGIN} for place in range(len(operations))]
    scale = alt.Scale(domain=[0, len(operations)], nice=False, zero=False)
    zone: alt.Chart = alt.Chart(pl.DataFrame(rows)).mark_rect(color=_LIMIT_COLOUR, opacity=0.07)
    return zone.encode(x=alt.X("limit:Q", scale=scale, axis=_column_axis(operations, ink)), x2="end:Q")


def _limit_layers(base: alt.Chart, ink: str) -> list[alt.Chart]:
    """A strong tick at the limit and a faint one at no difference, only as high as the interval beside them."""
    tick: dict[str, Any] = {"orient": "vertical", "size": 16, "yOffset": _BELOW_PX}
    drawn = base.transform_filter("datum.drawn")
    at = "datum.column + {}"
    return [
        drawn.transform_calculate(at=at.format(_place(1.0)))
        .mark_tick(color=_LIMIT_COLOUR, thickness=2, **tick)
        .encode(x="at:Q"),
        drawn.transform_calculate(at=at.format(_place(0.0)))
        .mark_tick(color=ink, opacity=_FAINT, thickness=1.5, **tick)
        .encode(x="at:Q"),
    ]


_BELOW_PX: Final = 9  # the interval, under the words
_ABOVE_PX: Final = -8  # the words


def _interval_layers(base: alt.Chart) -> list[alt.Chart]:
    colour = alt.Color("colour:N", scale=None)
    tooltip = [alt.Tooltip(f"{name}:N", title=name) for name in ("operation", "label", "word", "numbers")]
    drawn = base.transform_filter("datum.drawn").encode(color=colour, tooltip=tooltip)
    return [
        drawn.mark_rule(strokeWidth=5, strokeCap="round", opacity=0.55, yOffset=_BELOW_PX).encode(
            x="low:Q", x2="high:Q"
        ),
        drawn.transform_filter("isValid(datum.estimate)")
        .mark_point(shape="diamond", filled=True, size=85, opacity=1, yOffset=_BELOW_PX)
        .encode(x="estimate:Q"),
        _arrow(drawn, "cut_low", "low", "triangle-left"),
        _arrow(drawn, "cut_high", "high", "triangle-right"),
    ]


def _arrow(drawn: alt.Chart, when: str, at: str, shape: str) -> alt.Chart:
    """The interval goes on beyond the edge."""
    pointed = drawn.transform_filter(f"datum.{when}")
    arrow: alt.Chart = pointed.mark_point(shape=shape, filled=True, size=70, opacity=1, yOffset=_BELOW_PX)
    return arrow.encode(x=f"{at}:Q")


def _word_layers(base: alt.Chart, ink: str) -> list[alt.Chart]:
    text: dict[str, Any] = {"fontSize": _FONT_PX, "baseline": "middle", "dy": _ABOVE_PX}
    return [
        base.mark_text(align="left", color=ink, **text).encode(x="left:Q", text="numbers:N"),
        base.mark_text(align="right", fontWeight=700, **text).encode(
            x="right:Q", text="word:N", color=alt.Color("colour:N", scale=None)
        ),
    ]
