from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.config import LimitSettings
from harness.gateway.callers import Caller
from harness.gateway.limits import Limits
from harness.gateway.refusals import Refused


class Made:
    """When voices were made."""

    def __init__(self) -> None:
        self.at: list[datetime] = []

    def made_since(self, caller_key: str, since: datetime) -> Sequence[datetime]:
        return [moment for moment in self.at if moment > since]


def a_caller(name: str = "app", **limits: Any) -> Caller:
    return Caller(key=f"hmac:{name}", name=name, limits=LimitSettings(**limits))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def limits(clock: FakeClock, made: Made) -> Limits:
    return Limits(clock=clock, voices=made)


async def ask(limits: Limits, caller: Caller, *, chars: int = 1, voices: int = 0) -> float | None:
    """None when let in, else the seconds to wait."""
    try:
        async with limits.take(caller, chars=chars, voices=voices):
            return None
    except Refused as refused:
        return refused.retry_after_s if refused.status == 429 else -1.0


async def test_a_minutes_requests_may_come_at_once_and_the_next_waits_its_turn(
    limits: Limits, clock: FakeClock
) -> None:
    caller = a_caller(requests_per_minute=60)

    assert [await ask(limits, caller) for _ in range(60)] == [None] * 60
    assert await ask(limits, caller) == pytest.approx(1.0)
    clock.advance(1.0)
    assert await ask(limits, caller) is None
    assert await ask(limits, caller) == pytest.approx(1.0)


async def test_waiting_as_long_as_was_said_is_always_enough(limits: Limits, clock: FakeClock) -> None:
    caller = a_caller(requests_per_minute=7, chars_per_minute=333)
    waits = 0
    for _ in range(200):
        wait_s = await ask(limits, caller, chars=50)
        if wait_s is not None:
            waits += 1
            clock.advance(wait_s)
            assert await ask(limits, caller, chars=50) is None

    assert waits > 100


async def test_characters_are_counted_apart_and_a_text_longer_than_a_minute_is_paid_off(
    limits: Limits, clock: FakeClock
) -> None:
    caller = a_caller(chars_per_minute=600)

    assert await ask(limits, caller, chars=1_200) is None
    assert await ask(limits, caller, chars=10) == pytest.approx(61.0)
    clock.advance(61.0)
    assert await ask(limits, caller, chars=10) is None


async def test_a_refused_request_uses_up_nothing(limits: Limits, clock: FakeClock) -> None:
    caller = a_caller(requests_per_minute=60, chars_per_minute=60)
    await ask(limits, caller, chars=60)

    for _ in range(100):
        assert await ask(limits, caller, chars=60) is not None
    clock.advance(60.0)

    assert await ask(limits, caller, chars=60) is None


async def test_requests_under_way_are_bounded_and_one_that_fails_makes_room(limits: Limits) -> None:
    caller = a_caller(concurrency=1)

    async def breaks() -> None:
        async with limits.take(caller, chars=1):
            assert await ask(limits, caller) == pytest.approx(1.0)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await breaks()

    assert await ask(limits, caller) is None


async def test_one_callers_limits_are_nobody_elses(limits: Limits) -> None:
    first, second = a_caller("a", requests_per_minute=1), a_caller("b", requests_per_minute=1)

    assert await ask(limits, first) is None
    assert await ask(limits, first) is not None
    assert await ask(limits, second) is None


async def test_voices_of_the_last_day_count_whoever_made_them_and_whenever_we_started(
    limits: Limits, clock: FakeClock, made: Made
) -> None:
    caller = a_caller(voices_per_day=2)
    made.at = [clock.now() - timedelta(hours=20), clock.now() - timedelta(hours=1)]

    assert await ask(limits, caller, voices=1) == pytest.approx(4 * 3_600)
    assert await ask(limits, caller) is None  # speech is still spoken
    clock.advance(4 * 3_600)
    assert await ask(limits, caller, voices=1) is None


async def test_voices_being_made_right_now_count(limits: Limits) -> None:
    caller = a_caller(voices_per_day=1)

    async with limits.take(caller, chars=1, voices=1):
        assert await ask(limits, caller, voices=1) == pytest.approx(86_400)

    assert await ask(limits, caller, voices=1) is None  # it was never made, so never written down


async def test_several_processes_share_what_one_caller_may_do(clock: FakeClock, made: Made) -> None:
    caller = a_caller(requests_per_minute=60)
    processes = [Limits(clock=clock, voices=made, processes=3) for _ in range(3)]

    let_in = sum([await ask(limits, caller) is None for _ in range(50) for limits in processes])

    assert let_in == 60


async def test_callers_who_went_away_leave_nothing_behind(limits: Limits, clock: FakeClock) -> None:
    for n in range(500):
        await ask(limits, a_caller(str(n)))
        clock.advance(1.0)

    assert len(limits._accounts) <= 61


async def test_a_limit_that_is_changed_counts_from_the_next_request(limits: Limits) -> None:
    assert await ask(limits, a_caller(requests_per_minute=600)) is None

    assert [await ask(limits, a_caller(requests_per_minute=2)) is None for _ in range(3)] == [True, True, False]
