import json
from pathlib import Path

import pytest

from harness.config import Settings
from harness.store.ledger import Ledger
from harness.store.runs import Run
from replay.summary import plan_json, plan_text, summary_json, summary_text
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
            {"type": "result", "leg": "c1/0/candidate", "row": {"outcome": "timeout_read"}},
        ]
    )


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
