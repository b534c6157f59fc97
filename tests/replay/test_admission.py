import asyncio
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings, Settings
from harness.errors import BudgetExceeded, NotAdmitted
from harness.providers.base import PaidCall, Purpose
from harness.store.journal import JournalFile, read_journal
from harness.store.logbook import Logbook
from replay.admission import Admissions, LegAdmission
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.quota import Quota

PLAN = {"type": "plan", "run_id": "r", "started_at": "t"}


def a_call(attempt: int = 1, worst: int | None = 500, purpose: Purpose = "speak") -> PaidCall:
    return PaidCall(provider="qwen", purpose=purpose, attempt=attempt, worst_microusd=worst)


def an_admission(path: Path, budget: Budget, clock: FakeClock) -> tuple[LegAdmission, Logbook]:
    book = Logbook(path / "journal.jsonl", clock=clock)
    book.write(PLAN)
    quota = Quota(QuotaSettings(per_second=100, per_minute=1_000, share=1.0, ramp_s=0.0))
    shared = Admissions(budget=budget, book=book, switch=KillSwitch(Settings(home=path)), clock=clock)
    return shared.to("c1/0/candidate", quota), book


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

    assert (budget.spent_microusd, budget.reserved_microusd, book.balance.spent_microusd()) == (120, 0, 120)


async def test_a_call_that_was_never_settled_is_booked_at_its_worst(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())

    with book:
        await admission.admit(a_call())
        admission.close()

    assert (budget.spent_microusd, book.balance.spent_microusd()) == (500, 500)


async def test_a_call_that_the_budget_cannot_cover_leaves_no_trace(tmp_path: Path) -> None:
    admission, book = an_admission(tmp_path, Budget(100), FakeClock())

    with book, pytest.raises(BudgetExceeded):
        await admission.admit(a_call())

    assert book.balance.paid_calls == 0
    assert admission.admitted_at is None


async def test_a_call_cancelled_before_it_went_out_costs_nothing(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())

    with book:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(admission.admit(a_call()))
            await asyncio.sleep(0)
            task.cancel()

    assert (budget.spent_microusd, budget.reserved_microusd, book.balance.spent_microusd()) == (0, 0, 0)


async def test_every_attempt_is_a_call_of_its_own_and_later_waits_are_kept_apart(tmp_path: Path) -> None:
    clock = FakeClock()
    admission, book = an_admission(tmp_path, Budget(10_000), clock)

    with book:
        await admission.admit(a_call(1))
        first_wait = admission.own_wait_s
        admission.settle(a_call(1), 0)
        await admission.admit(a_call(2))
        admission.settle(a_call(2), 300)

    assert book.balance.paid_calls == 2
    assert first_wait == 0.0
    assert admission.own_wait_s == pytest.approx(0.02)  # the journal's group of commits


async def test_a_leg_that_has_its_place_already_waits_for_quota_only_from_its_second_call_on(tmp_path: Path) -> None:
    _, book = an_admission(tmp_path, Budget(10_000), FakeClock())
    switch, clock = KillSwitch(Settings(home=tmp_path)), FakeClock()
    shared = Admissions(budget=Budget(10_000), book=book, switch=switch, clock=clock)
    asked: list[int] = []

    class CountingQuota(Quota):
        async def admit(self) -> None:
            asked.append(1)

    with book:
        admission = shared.to("c1/0/candidate", CountingQuota(QuotaSettings()), has_place=True)
        await admission.admit(a_call(1))
        after_first = len(asked)
        await admission.admit(a_call(2))

    assert (after_first, len(asked)) == (0, 1)


async def test_whoever_waits_for_quota_when_the_switch_is_pulled_sends_nothing(tmp_path: Path) -> None:
    budget = Budget(10_000)
    _, book = an_admission(tmp_path, budget, FakeClock())
    switch = KillSwitch(Settings(home=tmp_path))
    shared = Admissions(budget=budget, book=book, switch=switch, clock=FakeClock())
    full = Quota(QuotaSettings(per_minute=1, per_second=1, share=1.0, ramp_s=0.0))
    await full.admit()

    async def wait() -> None:
        with pytest.raises(NotAdmitted, match="asked to stop"):
            await shared.to("c1/0/candidate", full).admit(a_call())

    with book:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(wait())
            await asyncio.sleep(0.01)
            switch.pull("asked to stop")

    assert (budget.reserved_microusd, book.balance.paid_calls, full.waiting) == (0, 0, 0)


async def test_a_pulled_kill_switch_lets_nothing_out(tmp_path: Path) -> None:
    budget = Budget(1_000)
    admission, book = an_admission(tmp_path, budget, FakeClock())
    (tmp_path / "KILL").touch()

    with book, pytest.raises(NotAdmitted, match="KILL exists; remove it"):
        await admission.admit(a_call())

    assert (budget.reserved_microusd, book.balance.paid_calls) == (0, 0)


async def test_what_was_begun_is_finished_after_a_stop_but_not_in_an_emergency(tmp_path: Path) -> None:
    _, book = an_admission(tmp_path, Budget(10_000), FakeClock())
    switch = KillSwitch(Settings(home=tmp_path))
    shared = Admissions(budget=Budget(10_000), book=book, switch=switch, clock=FakeClock())
    quota = Quota(QuotaSettings(per_second=100, per_minute=1_000, share=1.0, ramp_s=0.0))
    begun, fresh = shared.to("c1/0/candidate", quota), shared.to("c2/0/candidate", quota)

    with book:
        await begun.admit(a_call(1))
        switch.pull("asked to stop")
        await begun.admit(a_call(2))
        with pytest.raises(NotAdmitted, match="asked to stop"):
            await fresh.admit(a_call(1))
        (tmp_path / "KILL").touch()
        with pytest.raises(NotAdmitted, match="KILL exists"):
            await begun.admit(a_call(3))

    assert [record["attempt"] for record in JournalFile(tmp_path / "journal.jsonl") if record["type"] == "intent"] == [
        1,
        2,
    ]


async def test_a_clone_that_was_paid_for_is_spoken_in_even_in_an_emergency_but_only_once(tmp_path: Path) -> None:
    _, book = an_admission(tmp_path, Budget(10_000), FakeClock())
    switch = KillSwitch(Settings(home=tmp_path))
    shared = Admissions(budget=Budget(10_000), book=book, switch=switch, clock=FakeClock())
    begun = shared.to("c1/0/candidate", Quota(QuotaSettings(per_second=100, per_minute=1_000, share=1.0, ramp_s=0.0)))

    with book:
        await begun.admit(a_call(1, purpose="clone"))
        (tmp_path / "KILL").touch()
        await begun.admit(a_call(2))
        with pytest.raises(NotAdmitted, match="KILL exists"):
            await begun.admit(a_call(3))

    intents = [record for record in JournalFile(tmp_path / "journal.jsonl") if record["type"] == "intent"]
    assert [record["purpose"] for record in intents] == ["clone", "speak"]


async def test_a_voice_whose_making_failed_is_not_tried_again_in_an_emergency(tmp_path: Path) -> None:
    _, book = an_admission(tmp_path, Budget(10_000), FakeClock())
    shared = Admissions(budget=Budget(10_000), book=book, switch=KillSwitch(Settings(home=tmp_path)), clock=FakeClock())
    begun = shared.to("c1/0/candidate", Quota(QuotaSettings(per_second=100, per_minute=1_000, share=1.0, ramp_s=0.0)))

    with book:
        await begun.admit(a_call(1, purpose="clone"))
        (tmp_path / "KILL").touch()
        with pytest.raises(NotAdmitted, match="KILL exists"):
            await begun.admit(a_call(2, purpose="clone"))
