import asyncio
import time

import pytest

from harness.config import QuotaSettings
from replay.quota import Quota


class VirtualTime:
    """Stands in for the clock and the sleep that asyncio-throttle takes from its modules."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        really_sleep = asyncio.sleep

        async def sleep(seconds: float) -> None:
            self.now_s += seconds
            await really_sleep(0)

        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(asyncio, "sleep", sleep)


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    return VirtualTime(monkeypatch)


async def admitted_at(quota: Quota, calls: int, time_: VirtualTime) -> list[float]:
    moments: list[float] = []

    async def call() -> None:
        await quota.admit()
        moments.append(time_.now_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(call())
    return moments


async def test_no_second_holds_more_calls_than_allowed(virtual_time: VirtualTime) -> None:
    moments = await admitted_at(Quota(QuotaSettings(per_second=3, per_minute=1_000)), 10, virtual_time)

    assert max(sum(start <= at < start + 1.0 for at in moments) for start in moments) == 3
    assert 3.0 <= moments[-1] < 3.2


async def test_no_minute_holds_more_calls_than_allowed(virtual_time: VirtualTime) -> None:
    moments = await admitted_at(Quota(QuotaSettings(per_second=100, per_minute=5)), 6, virtual_time)

    assert moments[4] == 0.0
    assert moments[5] >= 60.0


async def test_a_caller_that_gives_up_is_no_longer_waiting(virtual_time: VirtualTime) -> None:
    quota = Quota(QuotaSettings(per_second=1, per_minute=1))
    await quota.admit()
    async with asyncio.TaskGroup() as group:
        waiter = group.create_task(quota.admit())
        while not quota.waiting:
            await asyncio.sleep(0)
        waiter.cancel()

    assert quota.waiting == 0
