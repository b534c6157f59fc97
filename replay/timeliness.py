"""How punctual a run was: latency with and without our own waiting, and how far apart the lanes of a capture started.

All of it from rows of table `exchanges`, so any run can be asked, a resumed one too.
"""

from array import array
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from harness.exchanges import OK, Lane
from replay.lateness import quantile

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
    service: dict[str, array[float]] = {}
    from_due: dict[str, array[float]] = {}
    gaps = array("d")
    for pair in pairs:
        for lane, row in pair.items():
            if row["outcome"] == OK and row["from_due_s"] is not None:
                service.setdefault(lane, array("d")).append(row["service_s"])
                from_due.setdefault(lane, array("d")).append(row["from_due_s"])
        gap_s = _gap_s(pair)
        if gap_s is not None:
            gaps.append(gap_s)
    latencies = {
        lane: Latency(quantile(sorted(service[lane]), 0.99), quantile(sorted(from_due[lane]), 0.99))
        for lane in sorted(service)
    }
    return Timeliness(latencies, _start_gap(gaps))


def _gap_s(pair: Mapping[str, _Row]) -> float | None:
    sent = [row["sent_at"] for lane in (Lane.CONTROL, Lane.CANDIDATE) if (row := pair.get(lane)) is not None]
    if len(sent) < len((Lane.CONTROL, Lane.CANDIDATE)) or None in sent:
        return None
    one, other = (datetime.fromisoformat(moment) for moment in sent)
    return abs((one - other).total_seconds())


def _start_gap(gaps: "array[float]") -> StartGap:
    ordered = sorted(gaps)
    together = sum(gap <= TOGETHER_S for gap in ordered) / len(ordered) if ordered else None
    return StartGap(
        len(ordered), quantile(ordered, 0.50), quantile(ordered, 0.99), ordered[-1] if ordered else None, together
    )
