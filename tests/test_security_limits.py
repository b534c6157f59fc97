"""S8-13 and S8-14: an hour of arrivals against the quota, and a switch thrown with sixty-four calls under way."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from harness.config import QuotaSettings
from harness.exchanges import Exchange
from harness.speech import SpeechRequest
from replay.quota import Quota
from tests.builders import an_exchange
from tests.replay.test_runner import Bench, captures
from tests.virtual_time import VirtualClock, run_in_virtual_time

HOUR_S = 3_600.0
SHARE, PER_MINUTE, PER_SECOND = 0.5, 60.0, 3.0


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """Time for quotas too: asyncio-throttle asks the machine."""
    monkeypatch.setattr(time, "monotonic", lambda: asyncio.get_running_loop().time())
    return VirtualClock()


async def admitted_within_an_hour(seed: int, clock: VirtualClock) -> list[float]:
    """When callers were let through who come in bursts and lulls, some of whom give up."""
    dice = random.Random(seed)
    quota = Quota(QuotaSettings(share=SHARE, per_minute=PER_MINUTE, per_second=PER_SECOND, ramp_s=60.0), clock=clock)
    moments: list[float] = []

    async def call(patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await quota.admit()
        except TimeoutError:
            return
        moments.append(clock.monotonic())
        if dice.random() < 0.02:
            quota.slow_down()

    async with asyncio.TaskGroup() as group:
        while clock.monotonic() < HOUR_S:
            for _ in range(dice.choice([0, 1, 1, 2, 40])):
                group.create_task(call(dice.choice([5.0, 120.0])))
            await clock.sleep(dice.expovariate(0.2))
    return moments


def most_in(moments: list[float], window_s: float) -> int:
    """The most calls in any window of that length."""
    most = first = 0
    for last, at in enumerate(moments):
        while at - moments[first] >= window_s - 1e-9:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("seed", range(3))
def test_no_minute_of_an_hour_holds_more_calls_than_our_share(virtual: VirtualClock, seed: int) -> None:
    moments = run_in_virtual_time(admitted_within_an_hour(seed, virtual))

    assert len(moments) > 0.3 * SHARE * PER_MINUTE * 60  # it did send, most of the time as fast as it may
    assert most_in(moments, 60.0) <= SHARE * PER_MINUTE
    assert most_in(moments, 1.0) <= SHARE * PER_SECOND


def test_sixty_four_at_once_send_nothing_a_second_after_the_switch(tmp_path: Path, virtual: VirtualClock) -> None:
    run_in_virtual_time(_switch_under_load(tmp_path, virtual))


async def _switch_under_load(home: Path, clock: VirtualClock) -> None:
    bench = Bench(home, captures(400), clock=clock)
    pulled_at_s: list[float] = []

    def answer(_: SpeechRequest) -> Exchange:
        if bench.qwen.sent.total() >= 150 and not pulled_at_s:
            (home / "KILL").touch()
            pulled_at_s.append(bench.clock.monotonic())
        return an_exchange(provider="qwen")

    bench.qwen._answer = answer
    async with bench.replay(concurrency=64) as replay:
        await replay.run()
    sent = [*bench.qwen.sent_at_s, *bench.legacy.sent_at_s]

    assert bench.qwen.most_under_way >= 60
    assert [at for at in sent if at > pulled_at_s[0] + 1.0] == []
    assert bench.qwen.sent.total() < 400
    (home / "KILL").unlink()
    assert await bench.run() == {"control": {"ok": 400}, "candidate": {"ok": 400}}
    assert set(bench.qwen.sent.values()) == {1}
