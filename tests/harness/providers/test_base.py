from harness.clock import FakeClock
from harness.providers.base import Deadline, FreeAdmission, PaidCall, settlement
from harness.store.balance import Balance
from tests.builders import NOON


def test_a_deadline_counts_down_and_stops_at_zero(clock: FakeClock) -> None:
    deadline = Deadline(clock, 10.0)
    left = [deadline.left_s()]

    for _ in range(3):
        clock.advance(4.0)
        left.append(deadline.left_s())

    assert left == [10.0, 6.0, 2.0, 0.0]


async def test_free_admission_lets_a_call_of_unknown_price_through() -> None:
    admission = FreeAdmission()
    call = PaidCall(provider="qwen", purpose="speak", attempt=1, worst_microusd=None)

    await admission.admit(call)
    admission.settle(call, None)


def test_a_journal_adds_up_what_is_written_of_a_call() -> None:
    exact, lost = (PaidCall(provider="qwen", purpose="speak", attempt=number, worst_microusd=500) for number in (1, 2))
    balance = Balance.of(
        [
            {"type": "plan"},
            exact.intent("leg#0", leg="leg", at=NOON),
            settlement("leg#0", 120, known=True),
            lost.intent("leg#1", leg="leg", at=NOON),
        ]
    )

    assert balance.paid_calls == 2
    assert balance.spent_microusd() == 120 + 500
    assert balance.ended_at == NOON.isoformat()
