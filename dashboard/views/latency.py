"""How fast are they? The distribution of both lanes, with the noise lane beside them."""

import math

import polars as pl
import streamlit as st

from dashboard import queries, widgets
from dashboard.charts import latency_by_length, latency_curve
from dashboard.palette import LANES
from dashboard.queries import ALL, MEASURES, Sealed
from dashboard.units import duration
from harness.exchanges import Lane
from harness.speech import Operation

__all__ = ["draw"]

_P99_FROM = 400  # answers; below, p99 has no finite upper bound worth the name (verdicts.md 2.3 C)


def draw() -> None:
    """The page, top to bottom."""
    sealed = widgets.header("How fast are they?")
    if sealed is None:
        return
    with st.container(horizontal=True, gap="large"):
        operation = widgets.operation_filter()
        measure = widgets.choose("Time until", list(MEASURES), "measure")
    curves = queries.curves(sealed, measure)
    if curves.is_empty():
        widgets.empty(f"No answer of this run has a time for “{measure}”.", "make demo")
        return
    _distributions(curves, operation)
    st.caption(
        "Read upwards: the share of requests answered within so many seconds. Left and higher is faster. A timeout "
        "counts as the slowest answer there is, so a line that ends below 100 % timed out for the rest; other "
        "failures are on the page “What failed?”."
    )
    _table(queries.percentiles(sealed, measure), operation)
    _by_length(sealed, measure, operation)


def _distributions(curves: pl.DataFrame, operation: str) -> None:
    widgets.lane_key()
    present = set(curves["operation"])
    shown = [each.value for each in Operation if operation in (ALL, each.value) and each.value in present]
    for column, name in zip(st.columns(max(1, len(shown))), shown, strict=False):
        with column:
            st.subheader(name, anchor=False)
            chart = latency_curve(curves.filter(operation=name), ink=widgets.current_ink())
            st.altair_chart(chart, width="stretch", alt=f"Latency of {name} by lane; the table below says the same.")


def _table(percentiles: pl.DataFrame, operation: str) -> None:
    st.subheader("Percentiles", anchor=False)
    control = {row["operation"]: row for row in percentiles.filter(lane=Lane.CONTROL).iter_rows(named=True)}
    rows = [
        {
            "operation": row["operation"],
            "lane": LANES[Lane(row["lane"])].word,
            "answers": row["n"],
            "timed out": row["timed_out"],
            **{name: _shown(row, name) for name in ("p50", "p90", "p95", "p99")},
            "p95 against control": _ratio(row["p95_s"], control.get(row["operation"], {}).get("p95_s")),
        }
        for row in sorted(percentiles.iter_rows(named=True), key=_place)
        if operation in (ALL, row["operation"])
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, height="content")
    st.caption(f"p99 is shown from {_P99_FROM} answers: fewer say nothing about the slowest one in a hundred.")


def _place(row: dict[str, str]) -> tuple[int, int]:
    return list(Operation).index(Operation(row["operation"])), list(Lane).index(Lane(row["lane"]))


def _shown(row: dict[str, float], name: str) -> str:
    return "too few" if name == "p99" and row["n"] < _P99_FROM else duration(row[f"{name}_s"])


def _ratio(seconds: float, control: float | None) -> str:
    if not control or math.isinf(seconds) or math.isinf(control):
        return "–"
    return f"{seconds / control:.2f}x"


def _by_length(sealed: Sealed, measure: str, operation: str) -> None:
    st.subheader("By length of text", anchor=False)
    frame = queries.percentiles_by_length(sealed, measure, operation)
    if frame.is_empty():
        st.text("No answer has this time.")
        return
    for column, percentile in zip(st.columns(2), ("p50", "p95"), strict=True):
        chart = latency_by_length(frame, percentile)
        column.altair_chart(chart, width="stretch", alt=f"{percentile} of each lane by length of text.")
