import json
from pathlib import Path
from typing import Any

import pytest

from harness.config import Settings
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.store.ledger import Ledger
from harness.store.rows import exchange_row
from harness.store.runs import Run
from replay.summary import plan_json, plan_text, summary_json, summary_text
from tests.builders import NOON, a_leg, an_exchange
from tests.replay.test_session import captures, opened, settings  # noqa: F401 - fixtures

PLAN = {"type": "plan", "run_id": "r1", "started_at": "t"}


def a_ledger() -> Ledger:
    legs = [{"key": f"c1/0/{lane}", "lane": lane, "repetition": 0, "position": 0} for lane in ("control", "candidate")]
    intent = {"type": "intent", "call": "1", "leg": "c1/0/candidate", "provider": "qwen", "worst_microusd": 900}
    return Ledger.of(
        [
            PLAN,
            {"type": "planned", "capture": {"capture_id": "c1"}, "legs": legs},
            intent,
            {"type": "settle", "call": "1", "microusd": 250},
            {"type": "result", "leg": "c1/0/candidate", "row": a_row("candidate", failed=ErrorKind.TIMEOUT_READ)},
        ]
    )


def a_row(
    lane: str, *, position: int = 0, queued_s: float = 0.0, service_s: float = 1.0, failed: ErrorKind | None = None
) -> dict[str, Any]:
    return exchange_row(
        a_leg(lane=Lane(lane), position=position),
        an_exchange(service_s=service_s, failed=failed),
        due_at=NOON,
        admitted_at=NOON,
        queued_s=queued_s,
        audio_sha256=None,
    )


def a_measured_ledger(*, queued_s: float) -> Ledger:
    """Forty pairs at a rate, every second one with the candidate second, and what a sitting writes at its end."""
    records: list[dict[str, Any]] = [PLAN]
    for number in range(40):
        lanes = ("control", "candidate") if number % 2 else ("candidate", "control")
        legs = [{"key": f"c{number}/0/{lane}", "lane": lane, "position": place} for place, lane in enumerate(lanes)]
        records.append({"type": "planned", "capture": None, "legs": legs})
        for place, lane in enumerate(lanes):
            row = a_row(lane, position=place, queued_s=queued_s, service_s=1.0 + number / 10)
            records.append({"type": "result", "leg": f"c{number}/0/{lane}", "row": row})
    late = {"p50_s": 0.0001, "p99_s": 0.002, "max_s": 0.0031, "end_s": 0.0002}
    waits = {"quota_waited_s": {"qwen": 42.0, "modal": 0.0}, "throttled": {"qwen": 3, "modal": 0}}
    records.append({"type": "pacing", "pacing": "Constant(rate_hz=5.0)", "captures": 40, **late, **waits})
    return Ledger.of([*records, {"type": "warm_up"}])


def test_a_run_tells_how_punctual_it_was_and_what_the_order_did() -> None:
    text = summary_text(Run(Path("runs/r1")), a_measured_ledger(queued_s=0.0))

    late = "captures began late by p50 0.1 ms, p99 2 ms, max 3.1 ms, at the end 0.2 ms."
    assert f"Schedule Constant(rate_hz=5.0): {late}" in text
    assert "Latency of control, p99: 4.900 s of service, 4.900 s from due." in text
    assert "Both legs began within 50 ms of each other in 100.0% of 40 pairs" in text
    assert "who begins second takes 1.000 times as long [1.000, 1.000], 95 % by Welch" in text
    assert "Warm-up: 1 calls, kept apart" in text
    assert "Slowed by its own limits" not in text


def test_a_run_that_its_own_limiter_slowed_says_so_and_what_that_spoils() -> None:
    ledger = a_measured_ledger(queued_s=2.5)

    text = summary_text(Run(Path("runs/r1")), ledger)
    summary = json.loads(summary_json(Run(Path("runs/r1")), ledger))

    assert "Slowed by its own limits: 100.0% of the legs left over 100 ms after they were due" in text
    assert "waited for quota: qwen 42.0 s" in text
    assert "4.900 s of service, 7.400 s from due" in text
    assert (summary["slowed_by_us"], summary["held_back_share"]) == (True, 1.0)
    assert summary["latency"]["candidate"]["from_due_p99_s"] == 7.4


def test_every_planned_leg_is_in_one_column_and_the_columns_add_up() -> None:
    text = summary_text(Run(Path("runs/r1")), a_ledger())

    assert "2 legs planned = 1 with an outcome + 1 missing." in text
    assert "Spent: qwen $0.0003 in 1 calls" in text
    assert "timeout_read" in text
    assert "missing" in text


def test_machines_get_the_same_counts() -> None:
    summary = json.loads(summary_json(Run(Path("runs/r1")), a_ledger()))

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
