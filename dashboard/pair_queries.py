"""Fetch pairs and how their two sounds differ, with the same care and memory as `queries`.

What is compared is listed in contrasts.py; what is played comes from the blob store, not from here.
"""

from types import MappingProxyType
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboard.contrasts import CONTRASTS
from dashboard.queries import Sealed, frame_of

__all__ = ["ORDERS", "contrasts", "pair", "pairs"]

ORDERS: Final = MappingProxyType(  # how pairs may be sorted → by what
    {
        "most different": "score DESC NULLS LAST",
        "slowest candidate": "slowdown DESC NULLS LAST",
        "one side failed": "candidate_alone_failed DESC, one_failed DESC, score DESC NULLS LAST",
        "random": "hash(capture_id, repetition)",
    }
)


def _noise_sql() -> str:
    """One row: for each contrast the difference that only one in twenty noise pairs exceeds, at least its floor."""
    scales = (
        f"greatest({c.floor}, coalesce(quantile_cont(abs({c.sql('repeat')}), 0.95), 0)) AS noise_{c.column}"
        for c in CONTRASTS
    )
    return f"SELECT {', '.join(scales)} FROM noise_pairs"  # noqa: S608 - columns come from contrasts.py alone


def _scored_sql() -> str:
    """Every pair with each contrast as a multiple of noise, the largest of them, and its name."""
    multiples = [f"abs({c.sql('candidate')}) / noise_{c.column}" for c in CONTRASTS]
    largest = f"greatest({', '.join(multiples)})"
    names = " ".join(f"WHEN {multiple} THEN '{c.label}'" for c, multiple in zip(CONTRASTS, multiples, strict=True))
    return f"""
        WITH noise AS ({_noise_sql()})
        SELECT capture_id, repetition, operation, language, voice_id, text,
          control_outcome, candidate_outcome,
          (control_outcome = 'ok') <> (candidate_outcome = 'ok') AS one_failed,
          control_outcome = 'ok' AND candidate_outcome <> 'ok' AS candidate_alone_failed,
          {largest} AS score, CASE {largest} {names} END AS most_different,
          control_service_s, candidate_service_s,
          candidate_service_s / nullif(control_service_s, 0) AS slowdown
        FROM pairs, noise
    """  # noqa: S608 - columns come from contrasts.py alone


_PAIRS = """
    SELECT *, count(*) OVER () AS total FROM ({scored})
    WHERE ($operation = 'all' OR operation = $operation) AND ($language = 'all' OR language = $language)
    ORDER BY {order}, capture_id, repetition LIMIT $most
"""


@st.cache_data(max_entries=32, show_spinner=False)
def pairs(sealed: Sealed, *, operation: str, language: str, order: str, most: int = 200) -> pl.DataFrame:
    """The first `most` pairs in that order; `total` says how many there are.

    `score` is the largest difference in multiples of noise, null where a side has no measured sound.
    """
    sql = _PAIRS.format(scored=_scored_sql(), order=ORDERS[order])
    return frame_of(sealed, sql, {"operation": operation, "language": language, "most": most})


_PAIR = "SELECT * FROM pairs WHERE capture_id = $capture_id AND repetition = $repetition"


@st.cache_data(max_entries=64, show_spinner=False)
def pair(sealed: Sealed, capture_id: str, repetition: int) -> dict[str, Any] | None:
    """Everything about one pair (schema.py, view `pairs`); None when the run has no such pair."""
    frame = frame_of(sealed, _PAIR, {"capture_id": capture_id, "repetition": repetition})
    return frame.row(0, named=True) if frame.height else None


@st.cache_data(max_entries=64, show_spinner=False)
def contrasts(sealed: Sealed, capture_id: str, repetition: int) -> pl.DataFrame:
    """How the sounds of one pair differ: a row a contrast with both values, the difference, and multiples of noise."""
    picks = ", ".join(
        f"control_{c.column}, candidate_{c.column}, {c.sql('candidate')} AS difference_{c.column}, noise_{c.column}"
        for c in CONTRASTS
    )
    sql = f"WITH noise AS ({_noise_sql()}), one AS ({_PAIR}) SELECT {picks} FROM one, noise"  # noqa: S608 - as above
    frame = frame_of(sealed, sql, {"capture_id": capture_id, "repetition": repetition})
    values = frame.row(0, named=True) if frame.height else {}
    return pl.DataFrame(
        [
            {
                "label": c.label,
                "unit": c.unit,
                "control": _scalar(values.get(f"control_{c.column}")),
                "candidate": _scalar(values.get(f"candidate_{c.column}")),
                "difference": values.get(f"difference_{c.column}"),
                "difference_unit": c.difference_unit,
                "noise": values.get(f"noise_{c.column}"),
            }
            for c in CONTRASTS
        ],
        schema_overrides=dict.fromkeys(("control", "candidate", "difference", "noise"), pl.Float64),
    ).with_columns((pl.col("difference").abs() / pl.col("noise")).alias("multiple"))


def _scalar(value: Any) -> float | None:
    """Lists have a distance but no value of their own to show."""
    return None if isinstance(value, list) else value
