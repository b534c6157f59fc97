import asyncio
from datetime import UTC, timedelta

import pytest

from harness.clock import FakeClock, SystemClock


async def test_a_fake_clock_moves_only_when_somebody_sleeps() -> None:
    clock = FakeClock()
    began = clock.now()

    await clock.sleep(30.0)

    assert clock.monotonic() == 30.0
    assert clock.now() - began == timedelta(seconds=30)


async def test_sleepers_wake_in_the_order_in_which_they_are_due() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 5.0), ("early", 1.0), ("middle", 2.0)):
            group.create_task(sleeper(name, seconds))

    assert woken == [("early", 1.0), ("middle", 2.0), ("late", 5.0)]


async def test_a_cancelled_sleeper_does_not_hold_up_the_others() -> None:
    clock = FakeClock()

    async with asyncio.TaskGroup() as group:
        doomed = group.create_task(clock.sleep(1.0))
        await asyncio.sleep(0)
        doomed.cancel()
        group.create_task(clock.sleep(3.0))

    assert clock.monotonic() == 3.0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_sleep_that_is_already_over_only_yields(seconds: float) -> None:
    clock = FakeClock()

    await clock.sleep(seconds)
    await SystemClock().sleep(seconds)

    assert clock.monotonic() == 0.0


def test_the_system_clock_is_in_utc_and_never_goes_back() -> None:
    clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
