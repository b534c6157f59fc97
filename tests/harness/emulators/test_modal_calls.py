import asyncio
import re

import pytest

from harness.clock import FakeClock
from harness.emulators import modal_calls
from harness.emulators.modal_calls import FunctionCall, FunctionCalls


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def calls(clock: FakeClock) -> FunctionCalls:
    return FunctionCalls(seed=1, kept_s=100.0, clock=clock)


def a_call(calls: FunctionCalls, due_s: float = 10.0) -> FunctionCall:
    wav: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    return FunctionCall(id=calls.new_id(), started_s=0.0, due_s=due_s, wav=wav, headers={})


async def test_a_call_is_found_by_its_id(calls: FunctionCalls) -> None:
    call = a_call(calls)
    calls.keep(call)

    assert calls.find(call.id) is call
    assert calls.find("fc-other") is None
    assert re.fullmatch("fc-[0-9A-Z]{26}", call.id)


async def test_a_result_expires(calls: FunctionCalls, clock: FakeClock) -> None:
    call = a_call(calls)
    calls.keep(call)

    clock.advance(109.0)
    kept = calls.find(call.id)
    clock.advance(2.0)

    assert kept is call
    assert calls.find(call.id) is None


async def test_the_oldest_calls_give_way(calls: FunctionCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modal_calls, "_MOST_KEPT", 2)
    kept = [a_call(calls) for _ in range(3)]

    for call in kept:
        calls.keep(call)

    assert [calls.find(call.id) for call in kept] == [None, kept[1], kept[2]]


async def test_a_reset_forgets_every_call(calls: FunctionCalls) -> None:
    call = a_call(calls)
    calls.keep(call)

    calls.reset()

    assert calls.find(call.id) is None
