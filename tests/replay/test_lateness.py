import pytest

from replay.lateness import Lateness


def lateness(*seconds: float) -> Lateness:
    noted = Lateness()
    for value in seconds:
        noted.add(value)
    return noted


def test_the_order_statistics_are_exact() -> None:
    summary = lateness(*(number / 100 for number in range(100, 0, -1))).summary()

    assert summary == {"p50_s": 0.50, "p99_s": 0.99, "max_s": 1.00, "end_s": 0.01}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 101])
def test_at_least_half_are_not_later_than_the_median(count: int) -> None:
    values = [float(number) for number in range(count)]
    median = lateness(*values).summary()["p50_s"] or 0.0

    assert sum(value <= median for value in values) * 2 >= count > sum(value < median for value in values) * 2


def test_without_captures_there_is_nothing_to_say() -> None:
    assert set(lateness().summary().values()) == {None}
