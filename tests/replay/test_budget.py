from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.errors import BudgetExceeded
from harness.store.spending import ALL, DaySpending
from replay.budget import Budget


def test_a_call_is_paid_from_what_was_reserved_for_it() -> None:
    budget = Budget(1_000)

    budget.reserve("a", provider="qwen", worst_microusd=400)
    booked = budget.settle("a", 150)

    assert (booked, budget.spent_microusd, budget.reserved_microusd, budget.left_microusd) == (150, 150, 0, 850)


def test_a_call_that_does_not_fit_beside_those_under_way_is_refused_and_reserves_nothing() -> None:
    budget = Budget(1_000)
    budget.reserve("a", provider="qwen", worst_microusd=700)

    with pytest.raises(BudgetExceeded, match=r"\$0\.0004 and \$0\.0003 of \$0\.00 is left"):
        budget.reserve("b", provider="qwen", worst_microusd=400)

    assert budget.left_microusd == 300


def test_an_unknown_cost_is_booked_at_the_whole_reservation() -> None:
    budget = Budget(1_000)
    budget.reserve("a", provider="modal", worst_microusd=400)

    assert budget.settle("a", None) == 400


def test_an_unknown_price_is_refused_however_much_is_left() -> None:
    with pytest.raises(BudgetExceeded, match="qwen: no price is known"):
        Budget(10**9).reserve("a", provider="qwen", worst_microusd=None)


def test_a_resumed_run_begins_with_what_it_spent_before() -> None:
    budget = Budget(1_000, spent={"qwen": 600, "modal": 300})

    with pytest.raises(BudgetExceeded):
        budget.reserve("a", provider="qwen", worst_microusd=101)


def test_a_provider_with_a_cap_of_its_own_ends_there_and_the_other_goes_on() -> None:
    budget = Budget(1_000, caps={"qwen": 300}, spent={"qwen": 150})
    budget.reserve("a", provider="qwen", worst_microusd=100)

    with pytest.raises(BudgetExceeded, match=r"\$0\.0001 and \$0\.0001 of \$0\.00 for qwen is left"):
        budget.reserve("b", provider="qwen", worst_microusd=60)
    budget.reserve("c", provider="modal", worst_microusd=700)

    assert (budget.reserved_microusd, budget.left_microusd) == (800, 50)


def test_what_the_day_has_no_room_for_is_not_reserved_in_the_run_either(tmp_path: Path) -> None:
    day = DaySpending(tmp_path, owner="run", clock=FakeClock(), caps={ALL: 500})
    budget = Budget(1_000, day=day)
    budget.reserve("a", provider="qwen", worst_microusd=400)

    with pytest.raises(BudgetExceeded, match="of the day's"):
        budget.reserve("b", provider="modal", worst_microusd=200)
    budget.settle("a", 100)
    budget.reserve("c", provider="modal", worst_microusd=400)

    assert (budget.spent_microusd, budget.reserved_microusd, day.spent_microusd()) == (100, 400, 500)


def test_a_provider_that_bills_above_our_bound_is_reserved_at_that_multiple_from_then_on() -> None:
    budget = Budget(1_000)
    budget.reserve("a", provider="qwen", worst_microusd=100)

    budget.settle("a", 300)
    budget.reserve("b", provider="qwen", worst_microusd=100)
    budget.reserve("c", provider="modal", worst_microusd=100)

    assert budget.overruns == {"qwen": 3.0}
    assert budget.reserved_microusd == 400


def test_calls_under_way_when_it_shows_do_not_multiply_it() -> None:
    budget = Budget(10_000)
    for call in "abc":
        budget.reserve(call, provider="qwen", worst_microusd=100)

    for call in "abc":
        budget.settle(call, 300)

    assert budget.overruns == {"qwen": 3.0}


def test_a_call_is_settled_once() -> None:
    budget = Budget(1_000)
    budget.reserve("a", provider="qwen", worst_microusd=100)
    budget.settle("a", 0)

    with pytest.raises(KeyError):
        budget.settle("a", 0)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1), st.booleans()), max_size=60),
    st.integers(0, 2_000),
)
def test_what_is_spent_and_reserved_never_passes_the_cap(calls: list[tuple[int, float, bool]], cap: int) -> None:
    budget = Budget(cap)
    open_calls: dict[str, tuple[int, float]] = {}
    for number, (worst, share, settle_first) in enumerate(calls):
        if settle_first and open_calls:
            call, (bound, billed) = open_calls.popitem()
            budget.settle(call, int(bound * billed))
        try:
            budget.reserve(str(number), provider="qwen", worst_microusd=worst)
        except BudgetExceeded:
            assert worst > budget.left_microusd
        else:
            open_calls[str(number)] = (worst, share)

        assert budget.spent_microusd + budget.reserved_microusd <= cap
