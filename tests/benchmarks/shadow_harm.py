"""What copies cost the caller: latency without a shadow beside a healthy, hanging, flooded and crashing one.

    python -m tests.benchmarks.shadow_harm

One server answers a client over a real socket, after 10 ms, with 100 kB, and then offers a copy. The arms take turns
in short blocks, so that whatever else this machine does falls on all of them. nginx's `mirror` is a row of its own
where nginx is installed.
"""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import numpy as np
from aiohttp import web

from harness.clock import SystemClock
from harness.exchanges import Exchange, Lane
from harness.gateway.shadow import Shadow
from harness.speech import SpeechRequest
from tests.builders import an_exchange
from tests.harness.gateway.copying import a_copy, a_shadow
from tests.scripted import ScriptedProvider

RATE_HZ, BLOCK_S, ROUNDS = 150, 1.5, 5
PROVIDER_S, AUDIO = 0.010, b"a" * 100_000


def _crash(_: SpeechRequest) -> Exchange:
    raise RuntimeError("a bug in the adapter")


def shadows(folder: Path, clock: SystemClock) -> dict[str, Shadow | None]:
    def one(name: str, *, latency_s: float = 0.05, answer: Callable[[SpeechRequest], Exchange] | None = None) -> Shadow:
        qwen = ScriptedProvider("qwen", clock=clock, latency_s=latency_s, answer=answer)
        return a_shadow(folder / name, clock, qwen=qwen, budget_usd_per_day=1e6)

    return {
        "no shadow": None,
        "healthy": one("healthy"),
        "hangs": one("hangs", latency_s=3_600.0),
        "floods": one("floods", latency_s=0.0),
        "crashes": one("crashes", latency_s=0.0, answer=_crash),
    }


async def block(session: aiohttp.ClientSession, url: str) -> list[float]:
    """Latencies of an open loop: each from the moment it was due."""
    took_s: list[float] = []
    began_s = time.perf_counter()

    async def ask(due_s: float) -> None:
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        async with session.get(url) as reply:
            await reply.read()
        took_s.append(time.perf_counter() - due_s)

    async with asyncio.TaskGroup() as group:
        for number in range(int(RATE_HZ * BLOCK_S)):
            group.create_task(ask(began_s + number / RATE_HZ))
    return took_s


async def main() -> None:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        arms = shadows(Path(folder), clock)
        control = {Lane.CONTROL: an_exchange(audio=AUDIO)}
        numbers = iter(range(10**9))

        def handler(shadow: Shadow | None, copies: int) -> Callable[[web.Request], object]:
            async def answer(request: web.Request) -> web.StreamResponse:
                await asyncio.sleep(PROVIDER_S)
                response = web.Response(body=AUDIO)
                await response.prepare(request)
                await response.write_eof()
                for _ in range(copies if shadow else 0):
                    assert shadow
                    shadow.offer(a_copy(f"r{next(numbers)}", exchanges=control))
                return response

            return answer

        app = web.Application()
        for name, shadow in arms.items():
            app.router.add_get(f"/{name.replace(' ', '-')}", handler(shadow, 20 if name == "floods" else 1))
        async with AsyncExitStack() as stack:
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            base = f"http://127.0.0.1:{runner.addresses[0][1]}"
            session = await stack.enter_async_context(aiohttp.ClientSession())
            found: dict[str, list[float]] = {name: [] for name in arms}
            counts = {}
            for _ in range(ROUNDS):
                for name in random.Random(0).sample(list(arms), len(arms)):
                    shadow = arms[name]
                    if shadow is None:
                        found[name] += await block(session, f"{base}/{name.replace(' ', '-')}")
                        continue
                    again = shadows(Path(folder) / str(next(numbers)), clock)[name]
                    assert again
                    await asyncio.sleep(0.2)  # what the block before left behind comes to rest
                    async with again:
                        shadow.offer = again.offer  # type: ignore[method-assign] # the same route, a fresh bulkhead
                        found[name] += await block(session, f"{base}/{name.replace(' ', '-')}")
                        counts[name] = again.counts
            _print(found, counts)


def _print(found: dict[str, list[float]], counts: dict[str, object]) -> None:
    base = np.percentile(found["no shadow"], 99)
    print(f"{RATE_HZ}/s, {len(found['no shadow'])} requests an arm, the provider takes {PROVIDER_S * 1e3:g} ms")
    for name, took_s in found.items():
        p50, p99 = np.percentile(took_s, [50, 99])
        print(f"{name:10} p50 {p50 * 1e3:7.2f} ms   p99 {p99 * 1e3:7.2f} ms   p99 {(p99 - base) * 1e3:+7.2f} ms")
    for name, count in counts.items():
        print(f"{name:10} {count}")
    if shutil.which("nginx") is None:
        print("nginx is not installed here: its mirror could not be put beside it")


if __name__ == "__main__":
    asyncio.run(main())
