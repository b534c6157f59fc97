import asyncio
import time
from collections import Counter
from itertools import pairwise

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


def a_quota(**settings: float) -> Quota:
    return Quota(QuotaSettings(**{"share": 1.0, "ramp_s": 0.0, "per_second": 1e6, "per_minute": 1e6, **settings}))  # type: ignore[arg-type]  # all are floats


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
    moments = await admitted_at(a_quota(per_second=3, per_minute=1_000), 10, virtual_time)

    assert max(sum(start <= at < start + 1.0 for at in moments) for start in moments) == 3
    assert 3.0 <= moments[-1] < 3.2


async def test_no_minute_holds_more_calls_than_allowed(virtual_time: VirtualTime) -> None:
    moments = await admitted_at(a_quota(per_second=100, per_minute=5), 6, virtual_time)

    assert moments[4] == 0.0
    assert moments[5] >= 60.0


async def test_a_caller_that_gives_up_is_no_longer_waiting(virtual_time: VirtualTime) -> None:
    quota = a_quota(per_second=1, per_minute=1)
    await quota.admit()
    async with asyncio.TaskGroup() as group:
        waiter = group.create_task(quota.admit())
        while not quota.waiting:
            await asyncio.sleep(0)
        waiter.cancel()

    assert quota.waiting == 0


async def test_a_replay_takes_only_its_share_of_the_account(virtual_time: VirtualTime) -> None:
    moments = await admitted_at(a_quota(per_minute=60, share=0.2), 13, virtual_time)

    assert max(sum(start <= at < start + 60.0 for at in moments) for start in moments) == 12
    assert moments[12] >= 60.0


async def test_a_share_below_one_call_a_second_spaces_them_out(virtual_time: VirtualTime) -> None:
    moments = await admitted_at(a_quota(per_second=3, share=0.2), 4, virtual_time)

    assert all(later - earlier >= 1 / 0.6 for earlier, later in pairwise(moments))


async def test_the_rate_is_ramped_up_from_nothing(virtual_time: VirtualTime) -> None:
    moments = await admitted_at(a_quota(per_second=10, ramp_s=10.0), 120, virtual_time)

    by_second = Counter(int(at) for at in moments)
    assert by_second[1] <= 2
    assert by_second[4] <= 5
    assert by_second[9] <= 10
    assert by_second[8] > by_second[2]


async def test_a_429_halves_the_rate_and_it_comes_back_step_by_step(virtual_time: VirtualTime) -> None:
    quota = a_quota(per_second=100)

    quota.slow_down()
    halved = quota.factor()
    quota.slow_down()  # of the same burst
    virtual_time.now_s += 10.0
    recovering = quota.factor()
    virtual_time.now_s += 100.0

    assert (halved, recovering, quota.factor()) == (0.5, pytest.approx(0.6), 1.0)
    assert quota.throttled == 2


async def test_however_many_429s_come_a_little_is_always_sent(virtual_time: VirtualTime) -> None:
    quota = a_quota(per_second=100)
    for _ in range(50):
        quota.slow_down()
        virtual_time.now_s += 1.0

    assert quota.factor() >= 1 / 16
