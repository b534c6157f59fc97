"""S8-11: calls, bills, crashes and changing prices in any order; the bill is kept apart from the budget's own books."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.errors import BudgetExceeded
from replay.budget import Budget

CAP = 100_000
PROVIDERS = ("qwen", "modal")


class Spending(RuleBasedStateMachine):
    """A replay that crashes and is taken up again, and a provider that bills whatever was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(CAP)
        self.prices = dict.fromkeys(PROVIDERS, 1_000)  # the most a call can cost there, as the price file says now
        self.sent: dict[str, tuple[str, int]] = {}  # under way: call → provider and its bound
        self.billed = 0  # what the provider's own meter says
        self.booked = dict.fromkeys(PROVIDERS, 0)  # what the journal says after a crash
        self.number = 0

    @rule(provider=st.sampled_from(PROVIDERS))
    def send(self, provider: str) -> None:
        self.number += 1
        call, bound = f"c{self.number}", self.prices[provider]
        try:
            self.budget.reserve(call, provider=provider, worst_microusd=bound)
        except BudgetExceeded:
            return
        self.sent[call] = (provider, bound)

    @rule(provider=st.sampled_from(PROVIDERS), worst=st.integers(1, 20_000))
    def change_price(self, provider: str, worst: int) -> None:
        self.prices[provider] = worst

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), share=st.floats(0, 1), told=st.booleans())
    def answer(self, data: st.DataObject, share: float, told: bool) -> None:
        """It costs a part of its bound at most; some replies never tell how much."""
        call = data.draw(st.sampled_from(sorted(self.sent)))
        provider, bound = self.sent.pop(call)
        cost = int(bound * share)
        self.billed += cost
        self.budget.settle(call, cost if told else None)
        self.booked[provider] += cost if told else bound

    @rule(shares=st.lists(st.floats(0, 1), min_size=5, max_size=5))
    def crash_and_resume(self, shares: list[float]) -> None:
        """What was under way was billed, and nobody heard how much: the journal books it at its worst."""
        for number, (provider, bound) in enumerate(self.sent.values()):
            self.billed += int(bound * shares[number % len(shares)])
            self.booked[provider] += bound
        self.sent.clear()
        self.budget = Budget(CAP, spent=dict(self.booked))

    @invariant()
    def the_bill_is_within_the_cap(self) -> None:
        under_way = sum(bound for _, bound in self.sent.values())
        assert self.billed <= sum(self.booked.values())
        assert self.billed + under_way <= CAP
        assert self.budget.spent_microusd + self.budget.reserved_microusd <= CAP


@pytest.mark.parametrize("steps", [50])
def test_no_order_of_calls_crashes_and_prices_spends_more_than_the_cap(steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Spending, settings=settings(max_examples=100, stateful_step_count=steps, deadline=None)
    )
