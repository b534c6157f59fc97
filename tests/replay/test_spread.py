import random

import pytest

from replay.spread import Spread


def spread(*numbers: float) -> Spread:
    noted = Spread()
    for number in numbers:
        noted.add(number)
    return noted


@pytest.mark.parametrize("count", [1, 2, 3, 100, 4_095, 4_096, 4_097, 20_000])
def test_order_statistics_are_exact_for_any_count(count: int) -> None:
    numbers = [random.Random(count).uniform(-1.0, 1.0) for _ in range(count)]
    ordered = sorted(numbers)

    found = spread(*numbers).quantiles((0.0, 0.5, 0.99, 1.0))

    assert found == [ordered[max(0, -(-count * percent // 100) - 1)] for percent in (0, 50, 99, 100)]


def test_numbers_come_back_in_their_order_and_as_often_as_asked_for() -> None:
    noted = spread(*range(10_000))

    assert list(noted) == list(noted) == [float(number) for number in range(10_000)]
    assert len(noted) == 10_000


def test_more_may_be_added_after_it_was_asked() -> None:
    noted = spread(*range(5_000))
    assert noted.quantiles((1.0,)) == [4_999.0]

    noted.add(7_000.0)

    assert noted.quantiles((0.0, 1.0)) == [0.0, 7_000.0]


def test_nothing_has_no_quantiles() -> None:
    assert spread().quantiles((0.5, 0.99)) == [None, None]
