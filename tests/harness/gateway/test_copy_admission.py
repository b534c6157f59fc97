from pathlib import Path
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings
from harness.errors import BudgetExceeded, NotAdmitted, StoreError
from harness.gateway.copy_admission import CopyAdmission, DayBudget, Pace
from harness.gateway.live_run import LiveRun
from harness.providers.base import PaidCall
from harness.store.journal import read_journal

QUOTA = QuotaSettings(per_minute=180, per_second=3, share=0.2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def a_call(**changes: Any) -> PaidCall:
    fields: dict[str, Any] = {"provider": "qwen", "purpose": "speak", "attempt": 1, "worst_microusd": 100}
    return PaidCall(**{**fields, **changes})


async def test_calls_go_out_evenly_within_the_share_of_the_quota(clock: FakeClock) -> None:
    pace = Pace(QUOTA, clock=clock)

    for _ in range(37):
        await pace.admit()

    assert clock.monotonic() == pytest.approx(60.0, rel=0.01)  # 36 a minute: a fifth of 180


async def test_several_processes_share_the_share(clock: FakeClock) -> None:
    pace = Pace(QUOTA, clock=clock, processes=2)

    for _ in range(19):
        await pace.admit()

    assert clock.monotonic() == pytest.approx(60.0, rel=0.01)


async def test_each_429_halves_the_pace_and_it_recovers(clock: FakeClock) -> None:
    pace = Pace(QUOTA, clock=clock)

    pace.slow_down()
    pace.slow_down()

    assert pace.factor == pytest.approx(0.25)
    clock.advance(100.0)
    assert pace.factor == pytest.approx(0.75)
    clock.advance(1_000.0)
    assert pace.factor == 1.0


def test_a_days_money_is_never_overspent_and_back_the_next_day(clock: FakeClock) -> None:
    budget = DayBudget(250, clock=clock)
    budget.book(50)  # before this process began

    first, second = budget.reserve(a_call()), budget.reserve(a_call())
    with pytest.raises(BudgetExceeded, match="today"):
        budget.reserve(a_call())
    assert budget.settle(first, 10) == 10
    assert budget.settle(second, None) == 100
    assert budget.spent_microusd == 160
    with pytest.raises(BudgetExceeded):
        budget.reserve(a_call())

    clock.advance(86_400.0)

    assert budget.spent_microusd == 0
    assert budget.reserve(a_call()) == 100


def test_what_has_no_price_is_not_sent(clock: FakeClock) -> None:
    with pytest.raises(BudgetExceeded, match="no price"):
        DayBudget(10**9, clock=clock).reserve(a_call(worst_microusd=None))


def an_admission(run: LiveRun, clock: FakeClock, budget: DayBudget, reason: str | None = None) -> CopyAdmission:
    pace = Pace(QuotaSettings(share=1), clock=clock)
    return CopyAdmission("r/0/candidate", run=run, pace=pace, budget=budget, stop_reason=lambda: reason, clock=clock)


async def test_the_intent_is_on_disk_before_the_call_goes_out(tmp_path: Path, clock: FakeClock) -> None:
    run, budget = LiveRun(tmp_path, kind="shadow", plan={}, clock=clock), DayBudget(1_000, clock=clock)
    admission = an_admission(run, clock, budget)

    await admission.admit(a_call())
    kinds = [record["type"] for record in read_journal(run.run.journal).records]
    admission.settle(a_call(), 40)
    run.close()

    assert kinds == ["plan", "intent"]
    assert read_journal(run.run.journal).records[-1]["microusd"] == 40
    assert (budget.spent_microusd, admission.booked_microusd) == (40, 40)


async def test_nothing_goes_out_once_copies_are_switched_off(tmp_path: Path, clock: FakeClock) -> None:
    run, budget = LiveRun(tmp_path, kind="shadow", plan={}, clock=clock), DayBudget(1_000, clock=clock)

    with pytest.raises(NotAdmitted, match="KILL"):
        await an_admission(run, clock, budget, reason="KILL").admit(a_call())
    run.close()

    assert [record["type"] for record in read_journal(run.run.journal).records] == ["plan"]


async def test_a_call_that_was_never_settled_is_booked_at_its_worst(tmp_path: Path, clock: FakeClock) -> None:
    run, budget = LiveRun(tmp_path, kind="shadow", plan={}, clock=clock), DayBudget(1_000, clock=clock)
    admission = an_admission(run, clock, budget)
    await admission.admit(a_call())

    admission.close()
    run.close()

    assert budget.spent_microusd == 100


async def test_a_journal_that_cannot_be_written_lets_nothing_out(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, budget = LiveRun(tmp_path, kind="shadow", plan={}, clock=clock), DayBudget(1_000, clock=clock)

    async def full() -> None:
        raise StoreError("no space")

    monkeypatch.setattr(run, "commit", full)
    with pytest.raises(NotAdmitted, match="no space"):
        await an_admission(run, clock, budget).admit(a_call())

    assert budget.spent_microusd == 0
    run.close()
