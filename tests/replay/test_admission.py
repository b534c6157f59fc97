import asyncio
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings, Settings
from harness.errors import BudgetExceeded, NotAdmitted
from harness.providers.base import PaidCall
from harness.store.journal import read_journal
from harness.store.logbook import Logbook
from replay.admission import LegAdmission
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.quota import Quota

PLAN = {"type": "plan", "run_id": "r", "started_at": "t"}


def a_call(attempt: int = 1, worst: int | None = 500) -> PaidCall:
    return PaidCall(provider="qwen", purpose="speak", attempt=attempt, worst_microusd=worst)


def an_admission(path: Path, budget: Budget, clock: FakeClock) -> tuple[LegAdmission, Logbook]:
    book = Logbook(path / "journal.jsonl", clock=clock)
    book.write(PLAN)
    quota = Quota(QuotaSettings(per_second=100, per_minute=1_000, share=1.0, ramp_s=0.0))
    return LegAdmission(
        "c1/0/candidate", quota=quota, budget=budget, book=book, switch=KillSwitch(Settings(home=path)), clock=clock
    ), book


async def test_the_intent_is_on_disk_and_the_money_set_aside_before_the_call_goes_out(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())

    with book:
        await admission.admit(a_call())
        on_disk = read_journal(tmp_path / "journal.jsonl").records[-1]

    assert (on_disk["type"], on_disk["leg"], on_disk["worst_microusd"]) == ("intent", "c1/0/candidate", 500)
    assert budget.reserved_microusd == 500


async def test_what_a_call_cost_is_booked(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())

    with book:
        await admission.admit(a_call())
        admission.settle(a_call(), 120)

    assert (budget.spent_microusd, budget.reserved_microusd, book.ledger.spent_microusd()) == (120, 0, 120)


async def test_a_call_that_was_never_settled_is_booked_at_its_worst(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())

    with book:
        await admission.admit(a_call())
        admission.close()

    assert (budget.spent_microusd, book.ledger.spent_microusd()) == (500, 500)


async def test_a_call_that_the_budget_cannot_cover_leaves_no_trace(tmp_path: Path) -> None:
    admission, book = an_admission(tmp_path, Budget(100), FakeClock())

    with book, pytest.raises(BudgetExceeded):
        await admission.admit(a_call())

    assert book.ledger.calls == {}
    assert admission.admitted_at is None


async def test_a_call_cancelled_before_it_went_out_costs_nothing(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())

    with book:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(admission.admit(a_call()))
            await asyncio.sleep(0)
            task.cancel()

    assert (budget.spent_microusd, budget.reserved_microusd, book.ledger.spent_microusd()) == (0, 0, 0)


async def test_every_attempt_is_a_call_of_its_own_and_later_waits_are_kept_apart(tmp_path: Path) -> None:
    clock = FakeClock()
    admission, book = an_admission(tmp_path, Budget(10_000), clock)

    with book:
        await admission.admit(a_call(1))
        first_wait = admission.own_wait_s
        admission.settle(a_call(1), 0)
        await admission.admit(a_call(2))
        admission.settle(a_call(2), 300)

    assert len(book.ledger.calls) == 2
    assert first_wait == 0.0
    assert admission.own_wait_s == pytest.approx(0.02)  # the journal's group of commits


async def test_a_pulled_kill_switch_lets_nothing_out(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())
    (tmp_path / "KILL").touch()

    with book, pytest.raises(NotAdmitted, match="KILL exists; remove it"):
        await admission.admit(a_call())

    assert (budget.reserved_microusd, book.ledger.calls) == (0, {})
