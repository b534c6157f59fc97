"""Charts of live traffic over time: a line a lane, limits across, and a mark wherever a trigger fired."""

import altair as alt
import polars as pl

from dashboard.palette import LANES
from harness.exchanges import Lane

__all__ = ["share_lines", "spend_lines"]

_FAINT = 0.5
# Hours to 24, as the tables beside the charts have them; midnight shows its date.
_CLOCK = (
    "timeFormat(datum.value, seconds(datum.value) ? ':%S' : "
    "hours(datum.value) || minutes(datum.value) ? '%H:%M' : '%d %b')"
)
_Layers = alt.LayerChart | alt.FacetChart


def share_lines(
    frame: pl.DataFrame, *, limit: float | None, trips: pl.DataFrame, ink: str
) -> alt.LayerChart | alt.FacetChart:
    """A share of calls over time.

    Args:
        frame: Columns minute, lane, share, calls.
        limit: A line that it should stay below; None: no line.
        trips: Columns at, trigger; may be empty.
        ink: Colour of words.
    """
    lines = _lines(frame, "share:Q", alt.Axis(format=".1~%", title="share of calls"))
    return alt.layer(*_limit(limit, ink, "%"), *_trips(trips, ink), lines).properties(height=220)


def spend_lines(
    frame: pl.DataFrame, *, limit: float | None, trips: pl.DataFrame, ink: str
) -> alt.LayerChart | alt.FacetChart:
    """Dollars of the last hour over time.

    Args:
        frame: Columns minute, lane, usd.
        limit: The cap of an hour; None: none is set.
        trips: Columns at, trigger; may be empty.
        ink: Colour of words.
    """
    lines = _lines(frame, "usd:Q", alt.Axis(format="$.2f", title="dollars in an hour"))
    return alt.layer(*_limit(limit, ink, "$"), *_trips(trips, ink), lines).properties(height=220)


def _lines(frame: pl.DataFrame, y: str, axis: alt.Axis) -> alt.Chart:
    words = {lane.value: look.word for lane, look in LANES.items()}
    known = frame.with_columns(who=pl.col("lane").replace_strict(words, return_dtype=pl.String))
    lanes = [LANES[lane] for lane in (Lane.CONTROL, Lane.CANDIDATE)]
    scale = alt.Scale(domain=[look.word for look in lanes], range=[look.colour for look in lanes])
    chart: alt.Chart = (
        alt.Chart(known)
        .mark_line(strokeWidth=2, interpolate="step-after", point=alt.OverlayMarkDef(size=12))
        .encode(
            x=alt.X("minute:T", title=None, axis=alt.Axis(labelExpr=_CLOCK)),
            y=alt.Y(y, axis=axis, scale=alt.Scale(zero=True)),
            color=alt.Color("who:N", scale=scale, legend=None),
            tooltip=[alt.Tooltip("who:N", title="lane"), alt.Tooltip("minute:T", format="%H:%M"), y],
        )
    )
    return chart


def _limit(limit: float | None, ink: str, unit: str) -> list[alt.Chart]:
    if limit is None:
        return []
    word = f"trips at {limit:.0%}" if unit == "%" else f"cap ${limit:,.2f}"
    frame = pl.DataFrame({"limit": [limit], "word": [word]})
    base = alt.Chart(frame).encode(y="limit:Q")
    rule = base.mark_rule(color=ink, opacity=_FAINT, strokeDash=[4, 3])
    return [rule, base.mark_text(align="left", dy=-7, fontSize=11, color=ink).encode(x=alt.value(4), text="word:N")]


def _trips(trips: pl.DataFrame, ink: str) -> list[alt.Chart]:
    if trips.is_empty():
        return []
    base = alt.Chart(trips).encode(x="at:T", tooltip=["trigger:N", alt.Tooltip("at:T", format="%d %b %H:%M")])
    rule = base.mark_rule(color=ink, strokeWidth=2)
    return [rule, base.mark_text(angle=270, align="left", dx=4, dy=-6, fontSize=11, color=ink).encode(text="trigger:N")]
