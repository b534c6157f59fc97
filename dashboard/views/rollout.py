"""Where is the rollout? Stage and share of each operation, health, triggers, fallbacks and spend, as they are now."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
import streamlit as st

from dashboard import widgets
from dashboard.live_charts import share_lines, spend_lines
from dashboard.live_traffic import LiveTraffic
from dashboard.palette import LANES
from dashboard.queries import ALL
from dashboard.units import count, money, percent
from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import ConfigError
from harness.exchanges import Lane
from harness.flags.flag_file import check_flags
from harness.flags.flagset import FlagSet
from harness.flags.kill_switch import KillSwitch
from harness.rollout.places import kill_file, spool_folder, state_folder
from harness.rollout.rules import load_rules
from harness.rollout.stage import Rollouts
from harness.rollout.state_file import StateFile
from harness.routing.route import Ceiling, share_bp
from harness.speech import Operation

__all__ = ["draw"]

_EVERY: Final = "2s"
_WINDOWS: Final = {"1 h": 1, "6 h": 6, "24 h": 24}
_LANES: Final = (Lane.CONTROL, Lane.CANDIDATE)
_HISTORY: Final = 20


class _Now(NamedTuple):
    """Everything at one moment."""

    at: datetime
    rollouts: Rollouts
    history: list[dict[str, Any]]
    flags: FlagSet
    killed: str | None
    traffic: pl.DataFrame


def draw() -> None:
    """The page; what lies within is drawn anew every two seconds."""
    st.title("Where is the rollout?", anchor=False)
    with st.container(horizontal=True, gap="large"):
        operation = widgets.operation_filter()
        window = widgets.choose("The last", list(_WINDOWS), "window")
    _live(operation, _WINDOWS[window])


@st.fragment(run_every=_EVERY)
def _live(operation: str, hours: int) -> None:
    now = _look(Settings.load())
    if not now.history and now.traffic.is_empty():
        message = "No rollout has begun and no gateway has served yet. This says what the first step asks for:"
        widgets.empty(message, "cutover rollout status")
        return
    _warnings(now)
    _stages(now)
    traffic = now.traffic.filter(pl.col("minute") >= now.at - timedelta(hours=hours))
    if operation != ALL:
        traffic = traffic.filter(operation=operation)
    if traffic.is_empty():
        widgets.empty("No live request in this time. The gateway writes them down while it runs:", "cutover serve")
    else:
        _health(traffic)
        _charts(traffic, _trips(now.history, now.at - timedelta(hours=hours)))
    _history(now.history)


@st.cache_resource(show_spinner=False)
def _traffic(folder: str, day: str) -> LiveTraffic:
    """One reader for all sessions; a new one each day, so that it never follows what is long gone."""
    return LiveTraffic(Path(folder), now=datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC))


def _look(settings: Settings) -> _Now:
    clock = SystemClock()
    at, state = clock.now(), StateFile(state_folder(settings.home), clock=clock)
    try:
        flags = check_flags(settings.flags.file)
    except ConfigError as error:
        flags = FlagSet.all_legacy(str(error))
    return _Now(
        at=at,
        rollouts=state.read(),
        history=state.history(),
        flags=flags,
        killed=KillSwitch(kill_file(settings.home), environ=os.environ).reason(),
        traffic=_traffic(str(spool_folder(settings.home)), f"{at:%Y%m%d}").frame(at),
    )


def _warnings(now: _Now) -> None:
    if now.killed:
        st.error("Qwen is cut off by the kill switch; every caller gets legacy.", icon=":material/block:")
        widgets.note(f"{now.killed} · cutover rollout unkill", "kill")
    if now.flags.problem:
        st.error("The flags cannot be used, so every caller gets legacy.", icon=":material/flag:")
        widgets.note(now.flags.problem, "flags")


def _stages(now: _Now) -> None:
    rows = []
    for operation in Operation:
        rollout, flag = now.rollouts.of.get(operation), now.flags.flag(operation)
        ceiling = Ceiling(version=now.rollouts.version, name="", share_bp=rollout.share_bp if rollout else 0)
        rows.append(
            {
                "operation": operation.value,
                "stage": rollout.name if rollout else "not begun",
                "gets Qwen": percent(share_bp(now.killed, flag, ceiling) / 10_000),
                "flag": flag.mode.value,
                "since": widgets.when(rollout.since if rollout else None),
                "why": rollout.reason if rollout else "–",
                "waiting": (rollout.pending if rollout else None) or "–",
            }
        )
    st.dataframe(pl.DataFrame(rows), hide_index=True, height="content")
    st.caption("A caller gets Qwen by the smallest of kill switch, flag and rollout.")


def _health(traffic: pl.DataFrame) -> None:
    st.subheader("Health", anchor=False)
    rows = [_health_row(traffic.filter(lane=lane), lane) for lane in _LANES]
    st.dataframe(pl.DataFrame(rows), hide_index=True, height="content")
    st.caption("“Saved” are callers whom this provider failed and the other one answered.")


def _health_row(traffic: pl.DataFrame, lane: Lane) -> dict[str, str]:
    sums = traffic.sum().row(0, named=True)
    calls = sums["calls"] or 0
    unpriced = sums["unpriced"] or 0
    return {
        "provider": LANES[lane].word,
        "calls": count(calls),
        "failed": _part(sums["failed"], calls),
        "429": _part(sums["limited"], calls),
        "slow": _part(sums["slow"], calls),
        "bad audio": _part(sums["troubles"], calls),
        "breaker opened": count(sums["openings"] or 0),
        "callers without speech": count(sums["lost"] or 0),
        "saved": count(sums["saved"] or 0),
        "spend": money((sums["microusd"] or 0) / 1e6) + (f" + {unpriced} unpriced" if unpriced else ""),
    }


def _part(part: int | None, whole: int) -> str:
    return percent((part or 0) / whole) if whole else "–"


def _charts(traffic: pl.DataFrame, trips: pl.DataFrame) -> None:
    rules, ink = load_rules(Settings.load().rollout_rules), widgets.current_ink()
    by_minute = traffic.group_by("minute", "lane").agg(pl.col("^(calls|failed|saved|microusd)$").sum()).sort("minute")
    widgets.lane_key()
    left, middle, right = st.columns(3)
    with left:
        st.subheader("Failed calls", anchor=False)
        failed = by_minute.with_columns(share=pl.col("failed") / pl.col("calls"))
        chart = share_lines(failed, limit=rules.stage.errors.p1, trips=trips, ink=ink)
        st.altair_chart(chart, width="stretch", alt="Share of failed calls by minute and provider.")
    with middle:
        st.subheader("Fallbacks", anchor=False)
        saved = by_minute.with_columns(share=pl.col("saved") / pl.col("calls"))
        chart = share_lines(saved, limit=None, trips=trips, ink=ink)
        st.altair_chart(chart, width="stretch", alt="Share of calls in whose place the other provider answered.")
    with right:
        st.subheader("Spend", anchor=False)
        chart = spend_lines(_hourly(by_minute), limit=rules.spend.hour_usd, trips=trips, ink=ink)
        st.altair_chart(chart, width="stretch", alt="Dollars spent in the hour before each minute, by provider.")


def _hourly(by_minute: pl.DataFrame) -> pl.DataFrame:
    """Dollars of the hour that ends at each minute."""
    hour = by_minute.rolling("minute", period="1h", group_by="lane").agg(usd=pl.col("microusd").sum() / 1e6)
    return hour.sort("minute")


def _trips(history: list[dict[str, Any]], since: datetime) -> pl.DataFrame:
    """When a trigger changed the rollout."""
    rows = [
        (datetime.fromisoformat(change["at"]), change["who"].removeprefix("trigger "))
        for change in history
        if change["who"].startswith("trigger ") and datetime.fromisoformat(change["at"]) >= since
    ]
    schema: dict[str, pl.DataType] = {"at": pl.Datetime("us", "UTC"), "trigger": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _history(history: list[dict[str, Any]]) -> None:
    if not history:
        return
    st.subheader("Changes", anchor=False)
    rows = [
        {
            "when": widgets.when(datetime.fromisoformat(change["at"])),
            "who": change["who"],
            "what": ", ".join(_step(name, change["from"][name], to) for name, to in change["to"].items()),
            "why": change["why"],
        }
        for change in reversed(history[-_HISTORY:])
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, height="content")


def _step(operation: str, before: str | None, after: str) -> str:
    return f"{operation}: {before or 'not begun'} → {after}"
