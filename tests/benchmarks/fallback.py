"""How soon legacy answers in Qwen's place, over real sockets: `python -m tests.benchmarks.fallback`.

Beside each case stands a call that legacy answers by itself: the difference is what falling back costs.
"""

import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from harness.emulators.options import ModalOptions
from harness.rollout.places import kill_file
from harness.routing.breakers import Breakers
from tests.gateways import World, running_gateway

TURNS = 30
OUTAGE_S, RATE_HZ = 10.0, 40.0
DEADLINE_S = 0.3


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


async def outage(world: World) -> None:
    """Everybody keeps asking while Qwen is gone."""
    forget(world.gateway.control.breakers)
    world.qwen.script.load(every("unavailable"))
    statuses: list[int] = []

    async def ask() -> None:
        status, _, _ = await world.speak("Go.")
        statuses.append(status)

    before = world.asked(world.qwen)
    async with asyncio.TaskGroup() as group:
        for _ in range(int(OUTAGE_S * RATE_HZ)):
            group.create_task(ask())
            await asyncio.sleep(1 / RATE_HZ)
    failed = sum(status != 200 for status in statuses)
    asked = world.asked(world.qwen) - before
    print(
        f"outage of {OUTAGE_S:g} s at {RATE_HZ:g}/s: {len(statuses)} callers, {failed} failed, Qwen asked {asked} times"
    )


async def kill(world: World, home: Path) -> None:
    """Calls that reach Qwen after the file is there."""
    forget(world.gateway.control.breakers)
    world.qwen.script.load({"faults": []})
    stop = asyncio.Event()

    async def keep_asking() -> None:
        while not stop.is_set():
            await world.speak("Go.")

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(keep_asking())
        await asyncio.sleep(0.5)
        kill_file(home).touch()
        at_once = spoken(world)
        await asyncio.sleep(0.01)
        within = spoken(world)
        await asyncio.sleep(0.5)
        later = spoken(world)
        stop.set()
    kill_file(home).unlink()
    # The stand-in counts a call when it answers, so those that were under way are among these.
    print(
        f"kill switch, 8 callers: {within - at_once} calls end in the next 10 ms, {later - within} later (8 under way)"
    )


def spoken(world: World) -> int:
    """Calls to Qwen that asked for speech."""
    counts = world.qwen.account.meter()["requests"]
    return sum(sum(answers.values()) for path, answers in counts.items() if "generation" in path)


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


async def main() -> None:
    logging.disable(logging.CRITICAL)
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
    async with gateway() as (world, _):
        await outage(world)
    async with gateway() as (world, home):
        await kill(world, home)


if __name__ == "__main__":
    asyncio.run(main())
