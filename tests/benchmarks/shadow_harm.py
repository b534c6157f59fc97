"""What copies cost the caller: latency without a shadow beside a healthy, hanging, flooded and crashing one.

    python -m tests.benchmarks.shadow_harm

One server answers a client over a real socket, after 10 ms, with 100 kB, and then offers a copy. nginx stands before
the same server with `mirror` to backends that do the same, where nginx is installed; it has a baseline of its own. The
arms take turns in short blocks, in a new order each time, so that whatever else this machine does falls on all of
them. Each round compares the p99 of an arm with the baseline's of the same round: the median of these differences is
told, with the least and the most, and it is harm where nearly every round says so (a sign test: 7 of 8 by chance in
4 % of cases). Copies keep to the larger of the default quotas, as those of a gateway do.
"""

import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np
from aiohttp import web

from harness.clock import SystemClock
from harness.exchanges import Exchange, Lane
from harness.gateway.shadow import Shadow
from harness.sections import OwnQuotaSettings
from harness.speech import SpeechRequest
from harness.telemetry.log_format import logging_to
from tests.builders import an_exchange
from tests.harness.gateway.copying import a_copy, a_shadow
from tests.scripted import ScriptedProvider

RATE_HZ, BLOCK_S, ROUNDS = 150, 1.0, 8
HARM_ROUNDS = 7
PROVIDER_S, AUDIO = 0.010, b"a" * 100_000
GOAL_S = 0.0001
PATIENCE_S = 1.0  # of a caller: who hears nothing for so long counts with it
FLOOD = 20  # copies of each request
BASELINE, NGINX_BASELINE = "no shadow", "nginx, no mirror"

# `mirror` may be repeated; a copy goes to an inner location of its own.
_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream app {{ server 127.0.0.1:{port}; keepalive 64; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    server {{
        listen 127.0.0.1:{listen};
        {locations}
    }}
}}
"""


def _crash(_: SpeechRequest) -> Exchange:
    raise RuntimeError("a bug in the adapter")


def a_shadow_that(name: str, folder: Path, clock: SystemClock) -> Shadow:
    """A fresh bulkhead over a provider that behaves as `name` says."""
    latency_s = {"healthy": 0.05, "hangs": 3_600.0}.get(name, 0.0)
    answer = _crash if name == "crashes" else None
    qwen = ScriptedProvider("qwen", clock=clock, latency_s=latency_s, answer=answer)
    return a_shadow(folder, clock, qwen=qwen, quota=OwnQuotaSettings(), budget_usd_per_day=1e6)


SHADOWS = ("healthy", "hangs", "floods", "crashes")


class Server:
    """The server whose callers are watched: with a shadow of ours, and as what nginx stands before."""

    def __init__(self) -> None:
        self.shadow: Shadow | None = None
        self.copies = 0  # of each request
        self._numbers = iter(range(10**9))
        self._copy = a_copy(exchanges={Lane.CONTROL: an_exchange(audio=AUDIO)})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(PROVIDER_S)
        response = web.Response(body=AUDIO)
        await response.prepare(request)
        await response.write_eof()
        for _ in range(self.copies if self.shadow else 0):
            assert self.shadow
            self.shadow.offer(replace(self._copy, request_id=f"r{next(self._numbers)}"))
        return response


async def copied(request: web.Request) -> web.Response:
    """What a backend of nginx' copies does."""
    name = request.match_info["name"]
    if name == "crashes" and request.transport:
        request.transport.abort()
    await asyncio.sleep({"healthy": 0.05, "hangs": 3_600.0}.get(name, 0.0))
    return web.Response(body=AUDIO)


@asynccontextmanager
async def served(handler: Callable[[web.Request], object], path: str) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def nginx(program: str, app: str, backend: str, folder: Path) -> AsyncIterator[str]:
    """nginx before `app`, copying to `backend`."""
    blocks = ["location = /no-mirror { proxy_pass http://app/; }"]
    for name in SHADOWS:
        mirrors = f"mirror /copy-{name};" * (FLOOD if name == "floods" else 1)
        blocks.append(f"location = /{name} {{ {mirrors} proxy_pass http://app/; }}")
        blocks.append(f"location = /copy-{name} {{ internal; proxy_pass {backend}/{name}; }}")
    async with served(copied, "/probe-{name}") as free:
        listen = int(free.rpartition(":")[2])  # free again once the block ends
    port = app.rpartition(":")[2]
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, listen=listen, locations="\n".join(blocks)))
    process = await asyncio.create_subprocess_exec(program, "-c", str(config), "-p", str(folder))
    try:
        yield f"http://127.0.0.1:{listen}"
    finally:
        process.terminate()
        await process.wait()


async def block(session: aiohttp.ClientSession, url: str) -> list[float]:
    """Latencies of an open loop: each from the moment it was due."""
    took_s: list[float] = []
    began_s = time.perf_counter()

    async def ask(due_s: float) -> None:
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        with contextlib.suppress(TimeoutError):
            async with session.get(url) as reply:
                await reply.read()
                assert reply.status == 200
        took_s.append(time.perf_counter() - due_s)

    async with asyncio.TaskGroup() as group:
        for number in range(int(RATE_HZ * BLOCK_S)):
            group.create_task(ask(began_s + number / RATE_HZ))
    return took_s


async def ours(name: str, url: str, server: Server, folder: Path, session: aiohttp.ClientSession) -> list[float]:
    """A block with a fresh shadow, which ends with it."""
    if name == BASELINE:
        return await block(session, url)
    async with a_shadow_that(name, folder, SystemClock()) as shadow:
        server.shadow, server.copies = shadow, FLOOD if name == "floods" else 1
        try:
            return await block(session, url)
        finally:
            server.shadow = None


async def measured(stack: AsyncExitStack, folder: Path) -> dict[str, list[list[float]]]:
    """Latencies by arm and round."""
    server = Server()
    app = await stack.enter_async_context(served(server.answer, "/"))
    patience = aiohttp.ClientTimeout(total=PATIENCE_S)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=patience)
    )
    arms = dict.fromkeys((BASELINE, *SHADOWS), f"{app}/")
    if program := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
        backend = await stack.enter_async_context(served(copied, "/{name}"))
        front = await stack.enter_async_context(nginx(program, app, backend, folder))
        arms[NGINX_BASELINE] = f"{front}/no-mirror"
        arms |= {f"nginx, {name}": f"{front}/{name}" for name in SHADOWS}
    else:
        print("nginx is not installed here: its mirror could not be put beside it")
    found: dict[str, list[list[float]]] = {name: [] for name in arms}
    order = random.Random(0)
    for turn in range(-1, ROUNDS):  # the first one opens connections and is not counted
        for name in order.sample(list(arms), len(arms)):
            await asyncio.sleep(0.2)  # what the block before left behind comes to rest
            if name.startswith("nginx"):
                took_s = await block(session, arms[name])
            else:
                took_s = await ours(name, arms[name], server, folder / f"{turn}-{name}", session)
            found[name] += [took_s] if turn >= 0 else []
    return found


def _print(found: dict[str, list[list[float]]]) -> None:
    print(f"{RATE_HZ}/s, {ROUNDS} rounds of {BLOCK_S:g} s an arm, the provider takes {PROVIDER_S * 1e3:g} ms")
    tails_ms = {name: np.array([np.percentile(each, 99) for each in blocks]) * 1e3 for name, blocks in found.items()}
    for name, blocks in found.items():
        p50, p99 = np.percentile(np.concatenate(blocks), [50, 99]) * 1e3
        row = f"{name:18} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms"
        baseline = NGINX_BASELINE if name.startswith("nginx") else BASELINE
        if name == baseline:
            print(row)
            continue
        over = tails_ms[name] - tails_ms[baseline]
        is_harm = int((over > GOAL_S * 1e3).sum()) >= HARM_ROUNDS
        said = "HARM" if is_harm else "no harm seen"
        print(f"{row}   p99 {np.median(over):+8.2f} ms ({over.min():+.2f} to {over.max():+.2f})  {said}")


async def main() -> None:
    # What goes wrong is logged, as in the gateway.
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as lines, logging_to(lines):
        async with AsyncExitStack() as stack:
            found = await measured(stack, Path(folder))
    _print(found)


if __name__ == "__main__":
    asyncio.run(main())
