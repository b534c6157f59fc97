import json
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.clock import FakeClock
from harness.config import Settings
from harness.errors import ErrorKind
from harness.exchanges import Lane, Timing
from harness.store.balance import Balance
from harness.store.logbook import Logbook
from harness.store.rows import exchange_row
from harness.store.runs import Run
from harness.store.seal import seal
from replay.summary import plan_json, plan_text, summary_json, summary_text
from tests.builders import NOON, a_leg, an_exchange
from tests.replay.test_session import captures, opened, settings  # noqa: F401 - fixtures

PLAN = {
    "type": "plan",
    "run_id": "r1",
    "kind": "replay",
    "started_at": NOON.isoformat(),
    "code_version": "0.1.0",
    "plan_sha256": "p" * 64,
    "plan": {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"},
}


class Sealed(NamedTuple):
    run: Run
    balance: Balance

    def text(self) -> str:
        return summary_text(self.run, self.balance)

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(summary_json(self.run, self.balance))
        return found


def sealed(home: Path, records: list[dict[str, Any]]) -> Sealed:
    run = Run(home / "runs" / "r1")
    with Logbook(run.journal, clock=FakeClock()) as book:
        for record in (PLAN, *records):
            book.write(record)
    return Sealed(run, seal(run))


def an_interrupted_run(home: Path) -> Sealed:
    legs = [{"key": f"c1/0/{lane}", "lane": lane, "repetition": 0, "position": 0} for lane in ("control", "candidate")]
    intent = {"type": "intent", "call": "1", "leg": "c1/0/candidate", "provider": "qwen", "worst_microusd": 900}
    return sealed(
        home,
        [
            {"type": "planned", "capture": {"capture_id": "c1"}, "legs": legs},
            intent,
            {"type": "settle", "call": "1", "microusd": 250},
            {"type": "result", "leg": "c1/0/candidate", "row": a_row("candidate", failed=ErrorKind.TIMEOUT_READ)},
        ],
    )


def a_row(
    lane: str,
    *,
    capture_id: str = "c1",
    position: int = 0,
    queued_s: float = 0.0,
    service_s: float = 1.0,
    sent_after_s: float = 0.0,
    failed: ErrorKind | None = None,
) -> dict[str, Any]:
    timing = Timing(sent_at=NOON + timedelta(seconds=sent_after_s), service_s=service_s)
    return exchange_row(
        a_leg(capture_id, lane=Lane(lane), position=position),
        an_exchange(timing=timing, failed=failed),
        due_at=NOON,
        admitted_at=NOON,
        queued_s=queued_s,
        audio_sha256=None,
    )


def a_measured_run(home: Path, *, queued_s: float = 0.0, gap_s: float = 0.0) -> Sealed:
    """Forty pairs at a rate, every second one with the candidate second, and what a sitting writes at its end."""
    records: list[dict[str, Any]] = []
    for number in range(40):
        capture_id = f"c{number}"
        lanes = ("control", "candidate") if number % 2 else ("candidate", "control")
        legs = [{"key": f"{capture_id}/0/{lane}", "lane": lane, "position": place} for place, lane in enumerate(lanes)]
        records.append({"type": "planned", "capture": None, "legs": legs})
        for place, lane in enumerate(lanes):
            service_s = 1.0 + number / 10
            row = a_row(
                lane,
                capture_id=capture_id,
                position=place,
                queued_s=queued_s,
                service_s=service_s,
                sent_after_s=place * gap_s,
            )
            records.append({"type": "result", "leg": f"{capture_id}/0/{lane}", "row": row})
    late = {"p50_s": 0.0001, "p99_s": 0.002, "max_s": 0.0031, "end_s": 0.0002}
    waits = {"quota_waited_s": {"qwen": 42.0, "modal": 0.0}, "throttled": {"qwen": 3, "modal": 0}}
    records.append({"type": "pacing", "pacing": "Constant(rate_hz=5.0)", "captures": 40, **late, **waits})
    return sealed(home, [*records, {"type": "warm_up"}])


def test_a_run_tells_how_punctual_it_was_and_what_the_order_did(tmp_path: Path) -> None:
    text = a_measured_run(tmp_path).text()

    late = "captures began late by p50 0.1 ms, p99 2 ms, max 3.1 ms, at the end 0.2 ms."
    assert f"Schedule Constant(rate_hz=5.0): {late}" in text
    assert "Latency of control, p99: 4.900 s of service, 4.900 s from due." in text
    assert "Both legs began within 50 ms of each other in 100.0% of 40 pairs" in text
    assert "keeps them together" not in text
    assert "who begins second takes 1.000 times as long [1.000, 1.000], 95 % by Welch" in text
    assert "Warm-up: 1 calls, kept apart" in text
    assert "Slowed by its own limits" not in text


def test_lanes_that_began_too_far_apart_are_counted_with_what_keeps_them_together(tmp_path: Path) -> None:
    text = a_measured_run(tmp_path, gap_s=0.06).text()

    assert "Both legs began within 50 ms of each other in 0.0% of 40 pairs (p50 60 ms, p99 60 ms, max 60 ms)" in text
    assert "(CUTOVER_REPLAY__CONCURRENCY) or a slower --pace keeps them together" in text


def test_a_run_that_its_own_limiter_slowed_says_so_and_what_that_spoils(tmp_path: Path) -> None:
    found = a_measured_run(tmp_path, queued_s=2.5)

    text, summary = found.text(), found.json()

    assert "Slowed by its own limits: 100.0% of the legs left over 100 ms after they were due" in text
    assert "waited for quota: qwen 42.0 s" in text
    assert "4.900 s of service, 7.400 s from due" in text
    assert (summary["slowed_by_us"], summary["held_back_share"]) == (True, 1.0)
    assert summary["latency"]["candidate"]["from_due_p99_s"] == 7.4


def test_every_planned_leg_is_in_one_column_and_the_columns_add_up(tmp_path: Path) -> None:
    text = an_interrupted_run(tmp_path).text()

    assert "2 legs planned = 1 with an outcome + 1 missing." in text
    assert "Spent: qwen $0.0003 in 1 calls" in text
    assert "timeout_read" in text
    assert "missing" in text


def test_machines_get_the_same_counts(tmp_path: Path) -> None:
    summary = an_interrupted_run(tmp_path).json()

    assert summary["lanes"] == {
        "candidate": {"outcomes": {"timeout_read": 1}, "planned": 1},
        "control": {"outcomes": {"missing": 1}, "planned": 1},
    }
    assert summary["spent_usd"] == {"qwen": 0.00025}


async def test_a_plan_shows_what_is_sent_where_and_its_bound(settings: Settings, captures: Path) -> None:  # noqa: F811 - the fixtures
    async with opened(settings, captures, repeat_share=0.0) as session:
        plan, text = json.loads(plan_json(session)), plan_text(session)

    assert plan["lanes"]["candidate"]["legs"] == plan["lanes"]["control"]["legs"] == plan["captures"] == 12
    assert plan["operations"] == {"generate": 12}
    assert plan["seconds_at_quota"] == pytest.approx(12 / 0.6)  # a fifth of three a second is Qwen's default
    assert f"Plan {plan['confirm']}" in text
    assert "12 good, 0 quarantined, 0 skipped of 12 lines" in text
