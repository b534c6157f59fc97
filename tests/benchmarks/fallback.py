"""How soon legacy answers in Qwen's place, over real sockets: `python -m tests.benchmarks.fallback`.

Beside each case stands a call that legacy answers by itself: the difference is what falling back costs. Above them, by
processor time, what each request pays for asking the kill switch, beside the system call in it; goal: 10 us at most. A
whole minute without Qwen is told by `python -m tests.benchmarks.outage`.
"""

import asyncio
import logging
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from harness.emulators.options import ModalOptions
from harness.flags.kill_switch import KillSwitch
from harness.rollout.places import kill_file
from harness.routing.breakers import Breakers
from tests.gateways import World, running_gateway

TURNS = 30
DEADLINE_S = 0.3
QUESTIONS = 20_000
GOAL_US = 10.0


def every(fault: str) -> dict[str, Any]:
    return {"faults": [{"fault": fault, "times": None}]}


async def timed(world: World, *, fresh: bool = True) -> tuple[float, int]:
    """Milliseconds and status of one request, with breakers that know nothing yet."""
    if fresh:
        forget(world.gateway.control.breakers)
    began_s = time.perf_counter()
    status, _, _ = await world.speak("Go.")
    return (time.perf_counter() - began_s) * 1e3, status


def forget(breakers: Breakers) -> None:
    breakers._breakers.clear()


async def show(name: str, world: World, *, fresh: bool = True) -> None:
    found = [await timed(world, fresh=fresh) for _ in range(TURNS)]
    took = sorted(each for each, _ in found)
    statuses = sorted({status for _, status in found})
    print(f"{name:34} p50 {statistics.median(took):7.1f} ms   worst {took[-1]:7.1f} ms   statuses {statuses}")


@asynccontextmanager
async def gateway(*, qwen: str | None = None, modal: str | None = None) -> AsyncIterator[tuple[World, Path]]:
    """One of its own for each case: what failed in one must not have rolled back the next."""
    with tempfile.TemporaryDirectory() as folder:
        options = ModalOptions(containers=100, idle_window_s=1e9)  # a cold start is not what is measured
        async with running_gateway(Path(folder), modal=options, first_byte_s=DEADLINE_S) as world:
            await timed(world)
            for standin, fault in ((world.qwen, qwen), (world.modal, modal)):
                standin.script.load(every(fault) if fault else {"faults": []})
            # The triggers would take Qwen back for good after some ten failures, and nothing fall back any more.
            world.gateway.control.spool.append = lambda outcome: None  # type: ignore[method-assign]
            yield world, Path(folder)


def processor_us(ask: Callable[[], object]) -> float:
    """Of one question, by the median of five series."""
    series = []
    for _ in range(5):
        began_s = time.process_time()
        for _ in range(QUESTIONS):
            ask()
        series.append((time.process_time() - began_s) / QUESTIONS * 1e6)
    return statistics.median(series)


def show_the_switch() -> None:
    with tempfile.TemporaryDirectory() as home:
        path = kill_file(Path(home))
        took_us = processor_us(KillSwitch(path, environ=os.environ).reason)
        path.touch()  # a system call that finds its file raises nothing
        alone_us = processor_us(lambda: os.lstat(path))
    verdict = "kept" if took_us <= GOAL_US else "missed"
    print(f"asking the kill switch {took_us:.1f} us (lstat {alone_us:.1f}): goal of {GOAL_US:g} us {verdict}")


async def main() -> None:
    logging.disable(logging.CRITICAL)
    show_the_switch()
    async with gateway() as (world, home):
        await show("qwen by itself", world)
        kill_file(home).touch()
        await show("legacy by itself", world)
    for name, fault in (
        ("qwen answers 503", "unavailable"),
        ("qwen resets", "reset-before"),
        (f"qwen stalls, deadline {DEADLINE_S * 1e3:g} ms", "hang-before"),
    ):
        async with gateway(qwen=fault) as (world, _):
            await show(name, world)
    async with gateway(qwen="unavailable", modal="app-error") as (world, _):
        await show("both down", world)


if __name__ == "__main__":
    asyncio.run(main())
