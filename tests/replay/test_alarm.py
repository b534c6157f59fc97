import asyncio
import random
from pathlib import Path

import pytest

from harness.clock import Clock, FakeClock, SystemClock
from replay.alarm import Lead, open_alarm


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.parametrize("clock", [FakeClock(), SystemClock()], ids=["fake", "system"])
async def test_it_never_rings_early(clock: Clock) -> None:
    async with open_alarm(clock) as alarm:
        for offset_s in (0.0, 0.004, 0.001):
            moment_s = clock.monotonic() + offset_s
            await alarm.until(moment_s)

            assert clock.monotonic() >= moment_s


async def test_a_moment_that_has_passed_rings_at_once() -> None:
    clock = FakeClock()
    clock.advance(10.0)

    async with open_alarm(clock) as alarm:
        await alarm.until(3.0)

    assert clock.monotonic() == 10.0


async def test_others_run_while_one_waits() -> None:
    clock = SystemClock()
    turns = 0
    async with open_alarm(clock) as alarm:
        waiting = asyncio.ensure_future(alarm.until(clock.monotonic() + 0.02))
        while not waiting.done():
            await asyncio.sleep(0)
            turns += 1

    assert turns > 2


async def test_a_cancelled_wait_leaves_the_alarm_usable_and_nothing_open() -> None:
    clock = SystemClock()
    before = open_files()
    async with open_alarm(clock) as alarm:
        waiting = asyncio.ensure_future(alarm.until(clock.monotonic() + 60.0))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        moment_s = clock.monotonic() + 0.002
        await alarm.until(moment_s)

        assert clock.monotonic() >= moment_s
    assert open_files() == before


async def test_a_ring_for_somebody_who_has_left_wakes_nobody_early() -> None:
    clock = SystemClock()
    async with open_alarm(clock) as alarm:
        left = asyncio.ensure_future(alarm.until(clock.monotonic() + 0.001))
        await asyncio.sleep(0)
        passed_s = clock.monotonic() + 0.003
        while clock.monotonic() < passed_s:
            pass  # it rings, and the loop has no turn to see it
        left.cancel()
        moment_s = clock.monotonic() + 0.01
        await alarm.until(moment_s)

        assert clock.monotonic() >= moment_s


def test_the_lead_finds_how_late_half_of_the_rings_are() -> None:
    chance = random.Random(7)
    lead = Lead()

    learnt = []
    for _ in range(2_000):
        lead.learn(late_s=chance.choice([0.0, 0.000_2, 0.000_25, 0.000_3, 0.01]))
        learnt.append(lead.value_s)

    assert sum(learnt[1_000:]) / 1_000 == pytest.approx(0.000_25 - Lead.KEEP_S, abs=0.000_03)


@pytest.mark.parametrize(("late_s", "settles_at_s"), [(0.0, 0.0), (0.000_04, 0.0), (1.0, Lead.MOST_S)])
def test_the_lead_stays_within_its_bounds(late_s: float, settles_at_s: float) -> None:
    lead = Lead()

    for _ in range(1_000):
        lead.learn(late_s)

    assert lead.value_s == settles_at_s


def test_one_hiccup_moves_the_lead_by_one_step() -> None:
    lead = Lead()

    lead.learn(5.0)

    assert lead.value_s == Lead.STEP_S


async def test_it_never_rings_early_once_it_has_learnt() -> None:
    clock = SystemClock()
    async with open_alarm(clock) as alarm:
        for _ in range(60):
            moment_s = clock.monotonic() + 0.002
            await alarm.until(moment_s)

            assert clock.monotonic() >= moment_s
