import pytest

from harness.providers.retry_budget import RetryBudget


def granted(budget: RetryBudget, *, calls: int, retries_each: int = 2) -> int:
    """Retries that are made when every one of so many requests asks for some."""
    made = 0
    for _ in range(calls):
        budget.earn()
        made += sum(budget.spend() for _ in range(retries_each))
    return made


@pytest.mark.parametrize("calls", [1, 10, 100, 1000])
def test_in_an_outage_retries_stay_below_a_fifth_of_the_first_calls_beside_the_reserve(calls: int) -> None:
    budget = RetryBudget()

    made = granted(budget, calls=calls)

    assert made <= 0.2 * calls + budget.reserve
    assert made >= 0.2 * calls  # and are not withheld for nothing
    assert budget.refused == 2 * calls - made


def test_a_request_alone_may_be_tried_again() -> None:
    assert granted(RetryBudget(), calls=1) == 2


def test_good_times_save_up_only_so_much() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.earn()

    assert sum(budget.spend() for _ in range(100)) == 20


def test_five_calls_earn_one_retry() -> None:
    budget = RetryBudget(reserve=0.0)
    for _ in range(4):
        budget.earn()
    assert not budget.spend()

    budget.earn()

    assert (budget.spend(), budget.spend()) == (True, False)
