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


def _lane_scales(*, dashes: bool = False) -> dict[str, Any]:
    """One colour and, for lines, one dash for each lane, and a legend that names them."""
    names = [look.word for look in LANES.values()]
    legend = alt.Legend(title=None, orient="bottom", symbolStrokeWidth=3, labelLimit=220)
    encodings: dict[str, Any] = {
        "color": alt.Color(
            "who:N", scale=alt.Scale(domain=names, range=[look.colour for look in LANES.values()]), legend=legend
        )
    }
    if dashes:
        encodings["strokeDash"] = alt.StrokeDash(
            "who:N", scale=alt.Scale(domain=names, range=[list(look.dash) for look in LANES.values()]), legend=legend
        )
    return encodings


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
        .mark_text(align="left", dy=-6, fontSize=11, color=ink)
        .encode(x=alt.value(4), y="share:Q", text="label:N")
    )
    lines = (
        alt.Chart(frame)
        .mark_line(interpolate="step-after", strokeWidth=2.5, clip=True)
        .encode(
            x=alt.X("seconds:Q", title="seconds", scale=alt.Scale(nice=True, zero=True)),
            y=alt.Y("share:Q", title="requests answered", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            tooltip=[alt.Tooltip("who:N", title="lane"), alt.Tooltip("within:N"), alt.Tooltip("took:N")],
            **_lane_scales(dashes=True),
        )
    )
    return alt.layer(rules, names, lines).properties(height=300)


def latency_by_length(frame: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """How p50 (hollow) and p95 (filled) grow with the text, a line a lane.

    Args:
        frame: Columns length, lane, n, p50_s, p95_s, shortest lengths first; infinite percentiles are left out.
    """
    order = frame["length"].unique(maintain_order=True).to_list()
    long = (
        _with_words(frame)
        .unpivot(["p50_s", "p95_s"], index=["length", "who", "n"], variable_name="percentile", value_name="seconds")
        .with_columns(pl.col("percentile").str.strip_suffix("_s"))
        .filter(pl.col("seconds").is_finite())
    )
    base = alt.Chart(long).encode(
        x=alt.X("length:N", sort=order, title="characters of text", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("seconds:Q", title="seconds", scale=alt.Scale(zero=True)),
        detail="percentile:N",
        tooltip=["who:N", "length:N", "percentile:N", alt.Tooltip("seconds:Q", format=".2f"), "n:Q"],
    )
    lines = base.mark_line(strokeWidth=2).encode(**_lane_scales(dashes=True))
    points = base.mark_point(size=60, strokeWidth=2).encode(
        color=_lane_scales()["color"],
        fill=alt.condition(
            "datum.percentile == 'p95'", alt.Fill("who:N", scale=_fills(), legend=None), alt.value("transparent")
        ),
    )
    return alt.layer(lines, points).properties(height=280)


def _fills() -> alt.Scale:
    return alt.Scale(domain=[look.word for look in LANES.values()], range=[look.colour for look in LANES.values()])


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
            x=alt.X("share:Q", title="share of the lane's requests", axis=alt.Axis(format=".1%")),
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
        x=alt.X("multiple:Q", title="difference, as a multiple of the control's own noise"),
        color=alt.condition("datum.multiple > 1", alt.value(candidate), alt.value(faint)),
        tooltip=["label:N", alt.Tooltip("multiple:Q", format=".2f", title="times noise")],
    )
    one = alt.Chart(pl.DataFrame({"multiple": [1.0]})).mark_rule(color=ink, strokeDash=[4, 3]).encode(x="multiple:Q")
    return alt.layer(bars, one).properties(height=alt.Step(20))
