"""How punctual a run was: latency with and without our own waiting, and how far apart the lanes of a capture started.

All of it from rows of table `exchanges`, so any run can be asked, a resumed one too.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from harness.exchanges import OK, Lane
from replay.spread import Spread

__all__ = ["TOGETHER_S", "Latency", "StartGap", "Timeliness", "timeliness"]

TOGETHER_S: Final = 0.05  # both legs of a capture start within this
_Row = Mapping[str, Any]


class Latency(NamedTuple):
    """99th percentiles of one lane, of what was delivered."""

    service_p99_s: float | None
    from_due_p99_s: float | None  # hides no waiting of ours: what a user at that moment would have seen


class StartGap(NamedTuple):
    """Seconds between the first calls of control and candidate, over all captures that both were sent for."""

    pairs: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None
    together_share: float | None  # within `TOGETHER_S`


class Timeliness(NamedTuple):
    """All of it."""

    latencies: dict[str, Latency]  # by lane
    start_gap: StartGap


def timeliness(pairs: Iterable[Mapping[str, _Row]]) -> Timeliness:
    """How punctual the exchanges of a run were.

    Args:
        pairs: Lane → row of table `exchanges`, for each capture and repetition.
    """
    service = {lane.value: Spread() for lane in Lane}
    from_due = {lane.value: Spread() for lane in Lane}
    gaps, together = Spread(), 0
    for pair in pairs:
        for lane, row in pair.items():
            if row["outcome"] == OK and row["from_due_s"] is not None:
                service[lane].add(row["service_s"])
                from_due[lane].add(row["from_due_s"])
        gap_s = _gap_s(pair)
        if gap_s is not None:
            gaps.add(gap_s)
            together += gap_s <= TOGETHER_S
    latencies = {
        lane: Latency(*service[lane].quantiles((0.99,)), *from_due[lane].quantiles((0.99,)))
        for lane in sorted(service)
        if len(service[lane])
    }
    median_s, late_s, most_s = gaps.quantiles((0.50, 0.99, 1.0))
    share = together / len(gaps) if len(gaps) else None
    return Timeliness(latencies, StartGap(len(gaps), median_s, late_s, most_s, share))


def _gap_s(pair: Mapping[str, _Row]) -> float | None:
    sent = [row["sent_at"] for lane in (Lane.CONTROL, Lane.CANDIDATE) if (row := pair.get(lane)) is not None]
    if len(sent) < len((Lane.CONTROL, Lane.CANDIDATE)) or None in sent:
        return None
    one, other = sent
    return float(abs((one - other).total_seconds()))
