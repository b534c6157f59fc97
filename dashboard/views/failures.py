"""What failed? Every outcome that is not audio, by lane and the provider's own code, down to single requests."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from dashboard import queries, widgets
from dashboard.charts import failure_bars
from dashboard.palette import LANES
from dashboard.queries import ALL, Sealed
from dashboard.units import percent
from harness.errors import KINDS, ErrorKind
from harness.exchanges import OK, Lane

__all__ = ["draw"]

_MOST = 500  # requests listed; the counts above the list are of all


def draw() -> None:
    """The page, top to bottom."""
    sealed = widgets.header("What failed?")
    if sealed is None:
        return
    operation = widgets.operation_filter()
    outcomes = queries.outcomes(sealed)
    if operation != ALL:
        outcomes = outcomes.filter(operation=operation)
    _rates(outcomes)
    failed = outcomes.filter(pl.col("outcome") != OK)
    if failed.is_empty():
        st.success("Every request came back with audio.", icon=":material/check_circle:")
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _bars(failed, outcomes)
    with right:
        _kinds(failed)
    _codes(failed)
    _requests(sealed, operation, failed)


def _rates(outcomes: pl.DataFrame) -> None:
    """Of each lane, how much came back without audio."""
    totals = outcomes.group_by("lane").agg(
        legs=pl.col("legs").sum(), failed=pl.col("legs").filter(pl.col("outcome") != OK).sum()
    )
    of = {row["lane"]: row for row in totals.iter_rows(named=True)}
    for column, lane in zip(st.columns(len(Lane)), Lane, strict=True):
        row = of.get(lane.value, {"legs": 0, "failed": 0})
        share = row["failed"] / row["legs"] if row["legs"] else None
        column.metric(
            LANES[lane].word,
            percent(share),
            f"{row['failed']:,} of {row['legs']:,} requests without audio",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )


def _bars(failed: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    legs = outcomes.group_by("lane").agg(total=pl.col("legs").sum())
    shares = (
        failed.group_by("outcome", "lane")
        .agg(legs=pl.col("legs").sum())
        .join(legs, on="lane")
        .with_columns(share=pl.col("legs") / pl.col("total"))
        .sort(pl.col("legs").sum().over("outcome"), "outcome", descending=[True, False])
    )
    st.subheader("How they failed", anchor=False)
    widgets.lane_key()
    st.altair_chart(failure_bars(shares), width="stretch", alt="Share of each lane's requests by kind of failure.")


def _kinds(failed: pl.DataFrame) -> None:
    st.subheader("What that means", anchor=False)
    rows = [
        {"outcome": kind.value, "meaning": KINDS[kind].meaning, "held against": _held_against(kind)}
        for kind in ErrorKind
        if kind.value in set(failed["outcome"])
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True)


def _held_against(kind: ErrorKind) -> str:
    return "the provider" if KINDS[kind].blames_provider else "nobody"


def _codes(failed: pl.DataFrame) -> None:
    st.subheader("By the provider's own code", anchor=False)
    codes = (
        failed.group_by("lane", "provider", "outcome", "provider_code")
        .agg(requests=pl.col("legs").sum(), attempts=pl.col("attempts").sum())
        .sort("requests", "lane", descending=[True, False])
        .with_columns(pl.col("lane").replace_strict(_LANE_WORDS))
        .rename({"provider_code": "code"})
        .with_columns(pl.col("code").fill_null("–"))
    )
    st.dataframe(codes, hide_index=True, height="content")


_LANE_WORDS: Mapping[str, str] = {lane.value: look.word for lane, look in LANES.items()}


def _requests(sealed: Sealed, operation: str, failed: pl.DataFrame) -> None:
    st.subheader("Single requests", anchor=False)
    with st.container(horizontal=True, gap="large"):
        lane = widgets.choose("Lane", [ALL, *(each.value for each in Lane)], "lane")
        kinds = [ALL, *sorted(set(failed["outcome"]))]
        outcome = st.selectbox("Outcome", kinds, key="outcome", bind="query-params", width=240)
    requests = queries.failed_requests(sealed, operation=operation, lane=lane, outcome=outcome or ALL, most=_MOST)
    if requests.is_empty():
        st.text("No request failed this way.")
        return
    if requests.height == _MOST:
        st.caption(f"The first {_MOST}; narrow it down above to see the others.")
    chosen = st.dataframe(
        requests.drop("repetition", "model", "region", "provider_request_id", "sent_at").rename(
            {"provider_code": "code"}
        ),
        hide_index=True,
        key=f"requests-{operation}-{lane}-{outcome}",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "service_s": st.column_config.NumberColumn("seconds", format="%.2f"),
            "text": st.column_config.TextColumn(width="medium"),
        },
    )
    rows = chosen["selection"]["rows"]
    if rows:
        _request(requests.row(rows[0], named=True))


def _request(row: Mapping[str, Any]) -> None:
    """One request, with what a support ticket needs."""
    with st.container(border=True):
        st.text(row["detail"] or "No detail was kept.")
        ticket = {
            "capture": row["capture_id"],
            "lane": row["lane"],
            "provider": row["provider"],
            "model": row["model"],
            "region": row["region"],
            "provider's request id": row["provider_request_id"],
            "sent at": widgets.when(row["sent_at"]),
            "code": row["provider_code"],
        }
        st.code("\n".join(f"{name}: {value}" for name, value in ticket.items() if value), language=None)
        st.text(row["text"])
