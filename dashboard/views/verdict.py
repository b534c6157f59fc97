"""May we cut over? The verdict first, its reason beside it, the gates below, and what was counted."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from analysis.thresholds import Thresholds
from dashboard import queries, widgets
from dashboard.gate_chart import gate_matrix
from dashboard.gate_table import named, numbers, worst_first
from dashboard.palette import DECISIONS, LANES, OUTCOMES
from dashboard.queries import Sealed
from dashboard.units import count, duration, money, percent
from harness.config import PROJECT
from harness.errors import ConfigError
from harness.exchanges import Lane
from harness.judgement import Decision, Outcome
from harness.speech import Operation

__all__ = ["draw"]


def draw() -> None:
    """The page, top to bottom."""
    sealed = widgets.header("May we cut over?")
    if sealed is None:
        return
    facts = queries.facts(sealed)
    verdicts = queries.verdicts(sealed)
    if verdicts.is_empty():
        _not_judged(sealed, facts)
        return
    gates = queries.gates(sealed)
    overall, *by_operation = verdicts.iter_rows(named=True)
    _verdict(overall, facts)
    operations = [row["operation"] for row in sorted(by_operation, key=lambda row: _place(row["operation"]))]
    if operations:
        _tiles({row["operation"]: row for row in by_operation}, operations, queries.lanes(sealed))
    if not gates.is_empty():
        _gates(gates, operations)
        _obstacles(gates)
        _gate_list(gates)
    _counts(queries.lanes(sealed), facts)


def _place(operation: str) -> int:
    return list(Operation).index(Operation(operation))


def _not_judged(sealed: Sealed, facts: Mapping[str, Any]) -> None:
    if facts["sounds"] and not facts["measured"]:
        widgets.empty("The run has audio and nothing was measured on it yet.", f"cutover extract {sealed.run_id}")
    widgets.empty("The run is not judged yet.", f"cutover verdict {sealed.run_id}")
    _counts(queries.lanes(sealed), facts)


def _verdict(overall: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    decision = Decision(overall["decision"])
    look = DECISIONS[decision]
    panel = st.container(border=True, key=f"verdict-{decision.value}")
    word, why = panel.columns([2, 5], vertical_alignment="center")
    word.title(f":{look.name}[{look.icon} {look.word}]", anchor=False)
    with why, st.container(key="reason", gap="xsmall"):
        st.text(overall["reason"][:1].upper() + overall["reason"][1:])
        widgets.note(_evidence(overall, facts), "evidence")


def _evidence(overall: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """What the verdict rests on, in one line."""
    parts = [
        f"{count(facts['captures'])} captures",
        f"{count(facts['answered'])} of {count(facts['planned'])} planned legs have an outcome",
        f"judged by {overall['thresholds']} ({overall['thresholds_sha256'][:8]})",
    ]
    return f"{' · '.join(parts)}\n{_thresholds_note(overall)}".rstrip()


def _thresholds_note(overall: Mapping[str, Any]) -> str:
    """What the thresholds file says of itself, if it still is the one that judged."""
    path = PROJECT / Path(overall["thresholds"])
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != overall["thresholds_sha256"]:
            return "The thresholds file has changed since; `cutover verdict` judges by what it says now."
        return Thresholds.load(path).note or ""
    except (OSError, ConfigError):
        return "The thresholds file that judged is not here any more."


def _tiles(verdicts: Mapping[str, Mapping[str, Any]], operations: list[str], lanes: pl.DataFrame) -> None:
    for column, operation in zip(st.columns(len(operations)), operations, strict=True):
        decision = Decision(verdicts[operation]["decision"])
        with column.container(border=True, key=f"tile-{decision.value}-{operation}"):
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                st.subheader(operation, anchor=False, width="content")
                widgets.badge(decision)
            _figures(lanes.filter(operation=operation))


def _figures(lanes: pl.DataFrame) -> None:
    """The candidate's three figures, each with how it compares to control's."""
    of = {row["lane"]: row for row in lanes.iter_rows(named=True)}
    candidate, control = of.get(Lane.CANDIDATE), of.get(Lane.CONTROL)
    if candidate is None or control is None:
        st.text("One of the two lanes answered nothing.")
        return
    failed, slow, cost = st.columns([3, 4, 4])
    points = 100 * (candidate["failed"] / candidate["legs"] - control["failed"] / control["legs"])
    failed.metric("Failed", percent(candidate["failed"] / candidate["legs"]), _delta(points, "+.1f", " pp"), **_LOWER)
    slow.metric("p95 latency", duration(candidate["p95_s"]), _change(candidate["p95_s"], control["p95_s"]), **_LOWER)
    label, column = _COST[Operation(candidate["operation"])]
    cost.metric(label, money(candidate[column]), _change(candidate[column], control[column]), **_LOWER)


# A clone or a design is paid by the voice, so characters say nothing about its cost.
_COST: Mapping[Operation, tuple[str, str]] = {
    Operation.GENERATE: ("Cost, 1k chars", "usd_per_1k_chars"),
    Operation.CLONE: ("Cost, request", "usd_per_request"),
    Operation.DESIGN: ("Cost, request", "usd_per_request"),
}
_LOWER: Mapping[str, Any] = {"delta_color": "inverse"}  # lower is better


def _delta(value: float, form: str, unit: str) -> str | None:
    """A difference for `st.metric`, which reads its sign; None, and so nothing shown, where it rounds to zero."""
    text = format(value, form)
    return None if float(text) == 0 else f"{text}{unit}"


def _change(candidate: float | None, control: float | None) -> str | None:
    if candidate is None or not control:
        return None
    ratio = candidate / control
    if ratio >= _MANY:
        return f"{ratio:,.1f}x" if math.isfinite(ratio) else None
    return _delta(100 * (ratio - 1), "+.0f", " %")


_MANY = 3  # times; beyond, percent are hard to read


def _gates(gates: pl.DataFrame, operations: list[str]) -> None:
    chart = gate_matrix(gates, operations, ink=widgets.current_ink())
    st.altair_chart(
        chart, width="stretch", alt="Each gate's interval against its limit; the table below says the same."
    )
    st.caption(
        "The candidate against control. Bar: where the truth lies with 95 % confidence; diamond: the estimate; "
        "grey tick: no difference; red tick: the limit. Only a gate whose whole bar lies before the limit passes."
    )


def _obstacles(gates: pl.DataFrame) -> None:
    """Every blocking gate that did not pass, in words."""
    rows = [row for row in _sorted(gates) if row["blocking"] and row["outcome"] != Outcome.PASS]
    if not rows:
        return
    st.subheader("What stands in the way", anchor=False)
    for row in rows:
        look = OUTCOMES[Outcome(row["outcome"])]
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
            st.badge(look.word, icon=look.icon, color=look.name, width=140)  # type: ignore[arg-type] # as in widgets.badge
            st.text(f"{row['operation']}: {row['reason']}", width="stretch")


def _sorted(gates: pl.DataFrame) -> list[dict[str, Any]]:
    """The gates one by one: blocking before advisory, the worst first."""
    order = {gate: place for place, gate in enumerate(worst_first(gates))}
    severity = [Outcome.INVALID, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS]
    return sorted(
        gates.iter_rows(named=True),
        key=lambda row: (not row["blocking"], severity.index(Outcome(row["outcome"])), order[row["gate"]]),
    )


def _gate_list(gates: pl.DataFrame) -> None:
    st.subheader("Every gate in words", anchor=False)
    st.dataframe(
        pl.DataFrame([_gate_row(row) for row in _sorted(gates)]),
        hide_index=True,
        height="content",
        column_config={
            "outcome": st.column_config.TextColumn(width=120),
            "operation": st.column_config.TextColumn(width=90),
            "gate": st.column_config.TextColumn(width=150),
            "votes": st.column_config.TextColumn(width=75, help="An advisory gate is shown and never decides."),
            "pairs": st.column_config.NumberColumn(width=65, format="localized"),
            "candidate against control": st.column_config.TextColumn(width=270),
            "reason": st.column_config.TextColumn(width=520),
        },
    )


def _gate_row(row: Mapping[str, Any]) -> dict[str, Any]:
    look = OUTCOMES[Outcome(row["outcome"])]
    counts = json.loads(row["counts"] or "{}")
    where = f", {row['segment']}" if row["segment"] else ""
    return {
        "outcome": f"{look.glyph} {look.word}",
        "operation": row["operation"],
        "gate": named(row["gate"]) + where,
        "votes": "blocking" if row["blocking"] else "advisory",
        "candidate against control": numbers(row),
        "pairs": counts.get("pairs"),
        "reason": row["reason"],
        "still needed": row["forecast"] or "",
    }


def _counts(lanes: pl.DataFrame, facts: Mapping[str, Any]) -> None:
    st.subheader("What was counted", anchor=False)
    missing = facts["planned"] - facts["answered"]
    if missing:
        st.warning(f"{missing:,} of {facts['planned']:,} planned legs have no outcome: the run was interrupted.")
        widgets.note("The replay's own command goes on with it; what was answered is not sent again.", "interrupted")
    else:
        st.caption(f"All {facts['planned']:,} planned legs have exactly one outcome.")
    st.dataframe(_counts_table(lanes), hide_index=True, height="content")


def _counts_table(lanes: pl.DataFrame) -> pl.DataFrame:
    rows = sorted(
        lanes.iter_rows(named=True), key=lambda row: (_place(row["operation"]), list(Lane).index(row["lane"]))
    )
    return pl.DataFrame(
        [
            {
                "operation": row["operation"],
                "lane": LANES[Lane(row["lane"])].word,
                "legs": row["legs"],
                "with audio": row["ok"],
                "failed": row["failed"],
                "of them timed out": row["timed_out"],
                "cost": money(row["cost_usd"]),
                "cost unknown": row["unknown_costs"],
                "per 1k characters": money(row["usd_per_1k_chars"]),
            }
            for row in rows
        ]
    )
