from datetime import timedelta
from typing import Any

from replay.timeliness import timeliness
from tests.builders import NOON


def a_row(*, sent_after_s: float | None = 0.0, queued_s: float | None = 0.0, service_s: float = 1.0) -> dict[str, Any]:
    return {
        "outcome": "ok",
        "sent_at": None if sent_after_s is None else NOON + timedelta(seconds=sent_after_s),
        "queued_s": queued_s,
        "service_s": service_s,
        "from_due_s": None if queued_s is None else queued_s + service_s,
    }


def test_a_stall_that_only_shows_from_the_due_time_is_shown_beside_the_service_time() -> None:
    rows = [{"candidate": a_row(queued_s=2.5 if number < 5 else 0.0)} for number in range(100)]

    found = timeliness(rows)

    assert found.latencies["candidate"] == (1.0, 3.5)


def test_how_far_apart_the_lanes_started_is_counted_by_pair() -> None:
    pairs = [
        {"control": a_row(), "candidate": a_row(sent_after_s=gap_s), "repeat": a_row(sent_after_s=9.0)}
        for gap_s in (0.01, 0.02, 0.03, -0.5)
    ]

    gap = timeliness(pairs).start_gap

    assert (gap.pairs, gap.p50_s, gap.max_s, gap.together_share) == (4, 0.02, 0.5, 0.75)


def test_a_leg_that_was_never_sent_makes_no_gap_and_one_that_nobody_saw_no_latency() -> None:
    pairs = [{"control": a_row(), "candidate": a_row(sent_after_s=None, queued_s=None)}, {"control": a_row()}]

    found = timeliness(pairs)

    assert found.start_gap.pairs == 0
    assert set(found.latencies) == {"control"}


def test_a_run_without_exchanges_says_nothing() -> None:
    found = timeliness([])

    assert found == ({}, (0, None, None, None, None))
