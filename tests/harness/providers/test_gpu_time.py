import pytest

from harness.providers.gpu_time import GpuDiary, GpuShare, idle_seconds


def price(gpu_s: float) -> int:
    return round(gpu_s * 306)


def unknown(gpu_s: float) -> None:
    return None


def test_both_costs_are_told_apart() -> None:
    told = GpuShare(busy_s=10.0, cold_s=80.0, idle_s=300.0).facts(price)

    assert told == {
        "busy_s": 10.0,
        "cold_s": 80.0,
        "idle_s": 300.0,
        "marginal_usd": 0.00306,
        "fully_loaded_usd": 0.11934,
    }


def test_an_unknown_price_costs_an_unknown_amount() -> None:
    told = GpuShare(busy_s=10.0, cold_s=0.0, idle_s=0.0).facts(unknown)

    assert (told["marginal_usd"], told["fully_loaded_usd"]) == (None, None)


def test_a_start_that_nothing_tells_of_leaves_the_loaded_cost_unknown() -> None:
    told = GpuShare(busy_s=10.0, cold_s=None, idle_s=0.0).facts(price)

    assert (told["marginal_usd"], told["fully_loaded_usd"]) == (0.00306, None)


def test_what_calls_carry_adds_up_to_all_idle_time_and_one_window() -> None:
    diary = GpuDiary(window_s=300.0)
    carried = []
    for begins_s, ends_s in [(0.0, 10.0), (50.0, 60.0), (1_000.0, 1_010.0)]:
        carried.append(diary.begin(begins_s))
        diary.end(ends_s)

    assert carried == [300.0, 40.0, 300.0]


def test_a_gpu_that_works_for_another_call_is_not_idle() -> None:
    diary = GpuDiary(window_s=300.0)
    first = diary.begin(0.0)
    second = diary.begin(5.0)
    diary.end(6.0)
    third = diary.begin(20.0)  # the first one is still under way

    assert (first, second, third) == (300.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        pytest.param([], (0.0, 0), id="none"),
        pytest.param([(0.0, 10.0)], (300.0, 1), id="one carries a whole window"),
        pytest.param([(50.0, 60.0), (0.0, 10.0)], (340.0, 1), id="in any order"),
        pytest.param([(0.0, 100.0), (10.0, 20.0), (110.0, 120.0)], (310.0, 1), id="one within another"),
        pytest.param([(0.0, 10.0), (310.0, 320.0)], (600.0, 1), id="a whole window still finds it warm"),
        pytest.param([(0.0, 10.0), (1_000.0, 1_010.0)], (600.0, 2), id="longer is another start"),
    ],
)
def test_traffic_has_its_idle_time_and_its_starts(
    calls: list[tuple[float, float]], expected: tuple[float, int]
) -> None:
    assert idle_seconds(calls, window_s=300.0) == expected
