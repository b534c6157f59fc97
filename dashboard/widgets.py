"""What every page is framed with: its question, the choice of a run, badges, filters, and what to say without data.

Words that came from outside (captured text, names, error details) are shown with `st.text`, `st.code` or in a table:
never as Markdown or HTML, which could load something from elsewhere.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import streamlit as st

from dashboard import queries
from dashboard.palette import DECISIONS, LANES, ink
from dashboard.queries import ALL, Sealed
from harness.config import Settings
from harness.errors import HarnessError
from harness.exchanges import Lane
from harness.judgement import Decision
from harness.speech import Operation
from harness.store.runs import list_runs

__all__ = [
    "badge",
    "choose",
    "current_ink",
    "empty",
    "header",
    "lane_key",
    "lane_name",
    "note",
    "operation_filter",
    "trouble",
    "when",
]

LATEST: Final = "latest"


def header(question: str) -> Sealed | None:
    """The page's question and the choice of a run; None when there is no run to show, and that has been said."""
    heading, choice = st.columns([3, 1], vertical_alignment="center")
    heading.title(question, anchor=False)
    home = Settings.load().home
    runs = queries.sealed_runs(home)
    if not runs:
        empty("No run to show yet. This replays the demo's captures against stand-in providers:", "make demo")
        return None
    names = [LATEST, *(run.run_id for run in runs)]
    wanted = st.query_params.get("run", LATEST)
    if wanted not in names:
        _missing(wanted, home)
        return None
    with choice:
        name = st.selectbox(
            "Run",
            names,
            key="run",
            bind="query-params",
            label_visibility="collapsed",
            help="Choose a run by name to pin it in the address: a link to this page then always shows that run.",
        )
    sealed = next((run for run in runs if run.run_id == name), queries.latest(runs))
    facts = queries.facts(sealed)
    with heading:
        note(f"{facts['kind']} run of {when(facts['started_at'])} · {sealed.run_id}", "run")
    return sealed


def _missing(name: str, home: Path) -> None:
    """The address names a run that cannot be shown: showing another one in its place would mislead."""
    if name in [run.id for run in list_runs(home)]:
        empty("This run is not sealed yet. Sealing builds what the dashboard reads:", f"cutover runs seal {name}")
    else:  # a stranger's link must not put words into a command that somebody copies
        empty("The address names a run that is not here. This lists those that are:", "cutover runs list")
        note(name, "missing")
    st.text("Without ?run=… in the address the page shows the latest run.")


def badge(decision: Decision) -> None:
    """A decision as colour, icon and word."""
    look = DECISIONS[decision]
    st.badge(look.word, icon=look.icon, color=look.name)  # type: ignore[arg-type] # palette.py holds Streamlit's names


def lane_name(lane: Lane) -> str:
    """A lane as Markdown: a dot in its colour and its word."""
    look = LANES[lane]
    return f":{look.name}[{'●' if look.dash == (1, 0) else '◌'}] {look.word}"


def lane_key() -> None:
    """What the colours of the charts below stand for."""
    st.markdown(" &nbsp; &nbsp; ".join(lane_name(lane) for lane in Lane))


def empty(message: str, command: str) -> None:
    """Why there is nothing to see, and the command that fills it."""
    with st.container(border=True):
        st.text(message)
        st.code(command, language=None)


def trouble(error: HarnessError) -> None:
    """What is wrong and what to do, in the error's own words."""
    st.error("This page cannot be shown.", icon=":material/error:")
    st.text(str(error))


def note(text: str, key: str) -> None:
    """A line of small print, which may hold words from outside."""
    with st.container(key=f"small-{key}"):
        st.text(text)


def choose(label: str, options: Sequence[str], key: str) -> str:
    """One of `options`, the first unless the address says otherwise."""
    chosen = st.segmented_control(
        label, options, default=options[0], required=True, key=key, bind="query-params", width="content"
    )
    return chosen or options[0]


def operation_filter() -> str:
    """`all` or one operation."""
    return choose("Operation", [ALL, *(operation.value for operation in Operation)], "operation")


def current_ink() -> str:
    """The colour of words in charts on the reader's theme."""
    return ink(st.context.theme.type)


def when(moment: datetime | None) -> str:
    """A moment as the store gives it, which is in UTC."""
    return "–" if moment is None else moment.strftime("%d %b %Y, %H:%M UTC")
