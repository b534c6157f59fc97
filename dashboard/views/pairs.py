"""What differs? Both sounds of one capture side by side, to listen to and to look at, most different first."""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboard import pair_queries, queries, widgets
from dashboard.charts import contrast_bars
from dashboard.queries import ALL, Sealed
from dashboard.units import count, duration, money, signed
from harness.config import Settings
from harness.errors import HarnessError
from harness.exchanges import OK, Lane
from harness.store.runs import audio_store

__all__ = ["draw"]

_MEDIA: Final = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "opus": "audio/ogg"}


def draw() -> None:
    """The page, top to bottom."""
    sealed = widgets.header("What differs?")
    if sealed is None:
        return
    operation, language, order = _filters(sealed)
    pairs = pair_queries.pairs(sealed, operation=operation, language=language, order=order)
    if pairs.is_empty():
        widgets.empty("No capture was answered in both lanes here.", "make demo")
        return
    if not queries.facts(sealed)["measured"]:
        widgets.empty("Nothing was measured yet, so pairs cannot be sorted.", f"cutover extract {sealed.run_id}")
    listing, detail = st.columns([2, 3], gap="medium")
    with listing:
        capture_id, repetition = _chosen(pairs, f"pairs-{sealed.run_id}-{operation}-{language}-{order}")
    with detail:
        _pair(sealed, capture_id, repetition)


def _filters(sealed: Sealed) -> tuple[str, str, str]:
    with st.container(horizontal=True, gap="large"):
        operation = widgets.operation_filter()
        order = widgets.choose("First", list(pair_queries.ORDERS), "order")
        languages = [ALL, *queries.languages(sealed)]
        language = st.selectbox("Language", languages, key="language", bind="query-params", width=110)
    return operation, language or ALL, order


def _chosen(pairs: pl.DataFrame, key: str) -> tuple[str, int]:
    """The list of pairs, and which of them is chosen: by a click, else by the address, else the first."""
    names = [_name(row) for row in pairs.iter_rows(named=True)]
    addressed = st.query_params.get("pair")
    start = names.index(addressed) if addressed in names else 0
    total = int(pairs["total"][0])
    st.caption(f"{count(total)} pairs" + (f", the first {pairs.height} listed" if total > pairs.height else ""))
    state = st.dataframe(
        _listing(pairs),
        hide_index=True,
        height=560,
        key=key,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [start], "columns": [], "cells": []}},
        column_config={"× noise": st.column_config.NumberColumn(format="%.1f", width=70)},
    )
    row = state["selection"]["rows"][0]
    if names[row] != addressed:
        st.query_params["pair"] = names[row]
    chosen = pairs.row(row, named=True)
    return chosen["capture_id"], chosen["repetition"]


def _name(row: Mapping[str, Any]) -> str:
    """A pair in the address."""
    return f"{row['capture_id']}/{row['repetition']}"


def _listing(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select(
        pl.col("score").alias("× noise"),
        pl.when(pl.col("candidate_outcome") != OK)
        .then(pl.lit("candidate failed"))
        .when(pl.col("control_outcome") != OK)
        .then(pl.lit("control failed"))
        .otherwise(pl.col("most_different"))
        .alias("differs most in"),
        "operation",
        pl.col("language").fill_null("auto").alias("lang"),
        "text",
    )


def _pair(sealed: Sealed, capture_id: str, repetition: int) -> None:
    pair = pair_queries.pair(sealed, capture_id, repetition)
    if pair is None:
        st.text("This pair is not in the run.")
        return
    st.text(pair["text"])
    facts = (pair["operation"], pair["language"] or "language guessed", pair["voice_id"], capture_id)
    widgets.note(" · ".join(str(fact) for fact in facts), "pair")
    sounds = {}
    for column, lane in zip(st.columns(2), (Lane.CONTROL, Lane.CANDIDATE), strict=True):
        with column:
            sounds[lane] = _side(pair, lane)
    control, candidate = sounds[Lane.CONTROL], sounds[Lane.CANDIDATE]
    if control and candidate:
        _picture(control, candidate)
    _differences(pair_queries.contrasts(sealed, capture_id, repetition))


def _side(pair: Mapping[str, Any], lane: Lane) -> bytes | None:
    """One lane's player and what is known of it; its sound, or None where there is none to play."""
    st.subheader(widgets.lane_name(lane), anchor=False)
    if pair[f"{lane}_outcome"] != OK:
        st.text(f"{pair[f'{lane}_outcome']}: {pair[f'{lane}_detail'] or 'no detail was kept'}")
        return None
    extension = pair[f"{lane}_audio_extension"]
    try:
        sound = audio_store(Settings.load().home).get(pair[f"{lane}_audio_sha256"], extension)
    except HarnessError as error:
        widgets.note(str(error), f"side-{lane}")
        return None
    st.audio(sound, format=_MEDIA.get(extension, "audio/wav"), alt=f"What the {lane} lane said")
    known = (
        f"{duration(pair[f'{lane}_duration_s'])} of audio",
        f"answered in {duration(pair[f'{lane}_service_s'])}",
        money(None if pair[f"{lane}_cost_usd"] is None else float(pair[f"{lane}_cost_usd"])),
    )
    widgets.note(" · ".join(known), f"side-{lane}")
    return sound


def _picture(control: bytes, candidate: bytes) -> None:
    try:
        st.image(_drawn(control, candidate), width="stretch", alt="Waveform and spectrogram of both sounds")
    except HarnessError as error:
        st.text(str(error))


@st.cache_data(max_entries=32, show_spinner="Drawing")
def _drawn(control: bytes, candidate: bytes) -> bytes:
    # librosa takes seconds to import: only a reader who opens a pair waits for it.
    from analysis.pictures import pair_picture

    picture: bytes = pair_picture(control, candidate)
    return picture


def _differences(contrasts: pl.DataFrame) -> None:
    st.subheader("How they differ", anchor=False)
    if contrasts["multiple"].null_count() == contrasts.height:
        st.text("One of the two sounds is missing or was not measured.")
        return
    st.altair_chart(
        contrast_bars(contrasts, ink=widgets.current_ink()), width="stretch", alt="The table below as bars."
    )
    st.dataframe(
        pl.DataFrame([_difference_row(row) for row in contrasts.iter_rows(named=True)]),
        hide_index=True,
        height="content",
    )
    st.caption(
        "1 × noise is as much as the control differs from its own repetition in all but one of twenty requests. "
        "It orders the list and decides nothing."
    )


def _difference_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "feature": row["label"],
        "control": _value(row["control"], row["unit"]),
        "candidate": _value(row["candidate"], row["unit"]),
        "difference": f"{signed(row['difference'], '+.2f')} {row['difference_unit']}".rstrip(),
        "× noise": signed(row["multiple"], ".1f"),
    }


def _value(value: float | None, unit: str) -> str:
    if unit == "s":
        return duration(value)
    if unit == "share":
        return signed(None if value is None else 100 * value, ".2f") + " %"
    return f"{signed(value, ',.1f')} {unit}".rstrip()
