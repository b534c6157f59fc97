from typing import Any

import pytest

from harness.clock import FakeClock
from harness.providers.gpu_time import GpuDiary, GpuShare, idle_seconds
from harness.providers.pricing import PriceList
from harness.speech import SpeechRequest
from tests.harness.providers.modal_requests import OpenModal, asked
from tests.harness.providers.stubs import (
    Handler,
    a_server,
    a_wav,
    sends,
)


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


def taking(clock: FakeClock, seconds: float, **headers: str) -> Handler:
    async def answer(request: Any) -> Any:
        clock.advance(seconds)
        return await sends(a_wav(), **headers)(request)

    return answer


async def test_every_call_carries_its_work_its_cold_start_and_the_idle_time_before_it(
    open_modal: OpenModal, vivian: SpeechRequest, clock: FakeClock
) -> None:
    told = {"X_Inference_Seconds": "10"}
    answers = [taking(clock, 90.0, X_Cold_Start="1", **told), taking(clock, 10.0, X_Cold_Start="0", **told)]
    async with a_server(*answers) as server:
        provider = await open_modal(server.url)
        first = await asked(provider, vivian, seconds=600.0)
        clock.advance(50.0)
        second = await asked(provider, vivian, seconds=600.0)

    # 10 s of work; then 80 s of start and the 300 s until the GPU is stopped, or the 50 s it waited.
    assert first.facts["gpu_cost"] == {
        "busy_s": 10.0,
        "cold_s": 80.0,
        "idle_s": 300.0,
        "marginal_usd": 0.00306,
        "fully_loaded_usd": 0.11934,
    }
    assert second.facts["gpu_cost"] == {
        "busy_s": 10.0,
        "cold_s": 0.0,
        "idle_s": 50.0,
        "marginal_usd": 0.00306,
        "fully_loaded_usd": 0.01836,
    }
    assert [exchange.cost.microusd for exchange in (first, second)] == [3_060, 3_060]


async def test_cores_and_memory_are_paid_for_busy_cold_and_idle(
    open_modal: OpenModal, vivian: SpeechRequest, clock: FakeClock
) -> None:
    async with a_server(taking(clock, 90.0, X_Cold_Start="1", X_Inference_Seconds="10")) as server:
        provider = await open_modal(server.url, cpu_cores=4.0, memory_gib=16.0)
        exchange = await asked(provider, vivian, seconds=600.0)

    # $0.00039392 a second: for 10 s of work, and with 80 s of start and 300 s until the container is stopped.
    assert exchange.cost.microusd == 3_940
    assert exchange.facts["gpu_cost"] == {
        "busy_s": 10.0,
        "cold_s": 80.0,
        "idle_s": 300.0,
        "marginal_usd": 0.00394,
        "fully_loaded_usd": 0.153629,
        "cpu_cores": 4.0,
        "memory_gib": 16.0,
    }


async def test_memory_without_a_price_leaves_the_cost_unknown(
    open_modal: OpenModal, vivian: SpeechRequest, prices: PriceList
) -> None:
    prices._prices.pop(("modal", "*", "memory", "gib_s"))
    async with a_server(sends(a_wav(), X_Inference_Seconds="2", X_Cold_Start="0")) as server:
        exchange = await asked(await open_modal(server.url, memory_gib=16.0), vivian)

    assert exchange.cost.microusd is None
    assert [exchange.facts["gpu_cost"][name] for name in ("marginal_usd", "fully_loaded_usd")] == [None, None]


async def test_a_gpu_without_a_price_and_a_start_that_is_not_told_are_unknown_and_not_free(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    async with a_server(sends(a_wav(), X_Inference_Seconds="2")) as server:
        unpriced = await asked(await open_modal(server.url, gpu="A100-40GB"), vivian)
        untold = await asked(await open_modal(server.url), vivian)

    assert unpriced.cost.microusd is None
    assert [unpriced.facts["gpu_cost"][name] for name in ("marginal_usd", "fully_loaded_usd")] == [None, None]
    assert [untold.facts["gpu_cost"][name] for name in ("marginal_usd", "fully_loaded_usd")] == [0.000612, None]


async def test_a_dearer_region_multiplies_the_price(open_modal: OpenModal, vivian: SpeechRequest) -> None:
    async with a_server(sends(a_wav(), X_Inference_Seconds="2")) as server:
        exchange = await asked(await open_modal(server.url, price_factor=2.5), vivian)

    assert exchange.cost.microusd == 1_530
