"""Turn a frame into a chart, and touch nothing else.

Charts take the ink (dashboard/palette.py) their words are written in; marks keep their colours on any background.
"""

from typing import Any, Final

import altair as alt
import polars as pl

from dashboard.palette import LANES
from dashboard.units import duration, percent
from harness.exchanges import Lane

__all__ = ["contrast_bars", "failure_bars", "latency_by_length", "latency_curve"]

_FAINT: Final = 0.35  # opacity of lines that only guide the eye


def _lane_scales() -> dict[str, Any]:
    """One colour for each lane; the page says once which is whose, so that charts beside one another need no legend."""
    scale = alt.Scale(domain=[look.word for look in LANES.values()], range=[look.colour for look in LANES.values()])
    return {"color": alt.Color("who:N", scale=scale, legend=None)}


def _dashes() -> alt.StrokeDash:
    dashes = [list(look.dash) for look in LANES.values()]
    scale = alt.Scale(domain=[look.word for look in LANES.values()], range=dashes)
    return alt.StrokeDash("who:N", scale=scale, legend=None)


def _with_words(frame: pl.DataFrame) -> pl.DataFrame:
    words = {lane.value: look.word for lane, look in LANES.items()}
    return frame.with_columns(who=pl.col("lane").replace_strict(words, return_dtype=pl.String))


def latency_curve(curve: pl.DataFrame, *, ink: str) -> alt.LayerChart | alt.FacetChart:
    """The share of requests answered within so many seconds, a line a lane, with p50 and p95 marked.

    Args:
        curve: Columns lane, share, seconds of one operation; a line that ends below 1 timed out for the rest.
        ink: Colour of words.
    """
    frame = _with_words(curve).with_columns(
        pl.col("seconds").map_elements(duration, return_dtype=pl.String).alias("took"),
        pl.col("share").map_elements(percent, return_dtype=pl.String).alias("within"),
    )
    guides = pl.DataFrame({"share": [0.5, 0.95], "label": ["p50", "p95"]})
    rules = alt.Chart(guides).mark_rule(color=ink, opacity=_FAINT, strokeDash=[2, 3]).encode(y="share:Q")
    names = (
        alt.Chart(guides)
        .mark_text(align="right", dy=8, fontSize=11, color=ink)
        .encode(x=alt.value("width"), y="share:Q", text="label:N")
    )
    lines = (
        alt.Chart(frame)
        .mark_line(interpolate="step-after", strokeWidth=2.5, clip=True)
        .encode(
            x=alt.X("seconds:Q", title="seconds", scale=alt.Scale(nice=True, zero=True)),
            y=alt.Y("share:Q", title="requests answered", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            tooltip=[alt.Tooltip("who:N", title="lane"), alt.Tooltip("within:N"), alt.Tooltip("took:N")],
            strokeDash=_dashes(),
            **_lane_scales(),
        )
    )
    return alt.layer(rules, names, lines).properties(height=300)


def latency_by_length(frame: pl.DataFrame, percentile: str) -> alt.LayerChart | alt.FacetChart:
    """How one percentile grows with the text, a line a lane.

    Args:
        frame: Columns length, lane, n and the percentile (`p95_s`), shortest texts first.
        percentile: `p50`, `p95`, …; where it is infinite it is left out.
    """
    order = frame["length"].unique(maintain_order=True).to_list()
    finite = _with_words(frame).rename({f"{percentile}_s": "seconds"}).filter(pl.col("seconds").is_finite())
    base = alt.Chart(finite).encode(
        x=alt.X("length:N", sort=order, title="characters of text", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("seconds:Q", title=f"{percentile}, seconds", scale=alt.Scale(zero=True)),
        tooltip=["who:N", "length:N", alt.Tooltip("seconds:Q", format=".2f"), alt.Tooltip("n:Q", title="answers")],
        **_lane_scales(),
    )
    lines = base.mark_line(strokeWidth=2.5).encode(strokeDash=_dashes())
    return alt.layer(lines, base.mark_point(size=60, filled=True, opacity=1)).properties(height=260)


def failure_bars(frame: pl.DataFrame) -> alt.Chart:
    """The share of each lane's requests that ended in each kind of failure.

    Args:
        frame: Columns outcome, lane, legs, share; outcomes in the order they are to stand.
    """
    order = frame["outcome"].unique(maintain_order=True).to_list()
    offsets = [look.word for look in LANES.values()]
    chart: alt.Chart = (
        alt.Chart(
            _with_words(frame).with_columns(pl.col("share").map_elements(percent, return_dtype=pl.String).alias("is"))
        )
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("outcome:N", sort=order, title=None, axis=alt.Axis(labelLimit=200, labelFontSize=12)),
            yOffset=alt.YOffset("who:N", sort=offsets),
            x=alt.X("share:Q", title="share of the lane's requests", axis=alt.Axis(format=".2~%", tickCount=5)),
            tooltip=[alt.Tooltip("who:N", title="lane"), "outcome:N", alt.Tooltip("legs:Q", title="requests"), "is:N"],
            **_lane_scales(),
        )
        .properties(height=alt.Step(14))
    )
    return chart


def contrast_bars(frame: pl.DataFrame, *, ink: str) -> alt.LayerChart | alt.FacetChart:
    """How many times the noise each feature of a pair differs; beyond 1 it differs more than the control from itself.

    Args:
        frame: Columns label and multiple, as `pair_queries.contrasts` gives them.
        ink: Colour of words.
    """
    known = frame.drop_nulls("multiple").sort("multiple", descending=True)
    candidate, faint = LANES[Lane.CANDIDATE].colour, LANES[Lane.REPEAT].colour
    order = known["label"].to_list()
    base = alt.Chart(known).encode(y=alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=200)))
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X(
            "multiple:Q",
            title="difference, as a multiple of the control's own noise",
            scale=alt.Scale(type="symlog", constant=1),  # one huge difference must not hide the others
            axis=alt.Axis(values=[0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]),
        ),
        color=alt.condition("datum.multiple > 1", alt.value(candidate), alt.value(faint)),
        tooltip=["label:N", alt.Tooltip("multiple:Q", format=".2f", title="times noise")],
    )
    one = alt.Chart(pl.DataFrame({"multiple": [1.0]})).mark_rule(color=ink, strokeDash=[4, 3]).encode(x="multiple:Q")
    return alt.layer(bars, one).properties(height=alt.Step(20))
