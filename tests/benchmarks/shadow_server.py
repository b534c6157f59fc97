"""The servers of shadow_harm, each a process of its own: what callers ask, and where nginx' copies go. Prints its port.

    python -m tests.benchmarks.shadow_server

GET / answers with 100 kB and then offers copies; POST /shadow/NAME says what becomes of them from now on. The shadows
are processes of their own, thinned as in the gateway by default, and keep to the default quota of legacy, which allows
more than that. Those whose turn it is not are stopped, so that the work one leaves behind burdens no other. GET /told
says what offering took, and how long this process was ready and got no processor, by arm; GET /copied/NAME does what a
backend of nginx' copies does. Whoever ends this process ends the shadows with it, stopped or not.
"""

import asyncio
import itertools
import os
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop
from aiohttp import web

from harness.clock import FakeClock, SystemClock
from harness.config import GatewaySettings, QuotaSettings, QwenSettings, Settings
from harness.exchanges import Lane, Speech
from harness.gateway.copies import Copy
from harness.gateway.shadow_process import ShadowProcess
from harness.gateway.thinned import Thinned
from harness.processes import keeping_what_is_loaded
from harness.sections import OwnQuotaSettings, ShadowSettings
from harness.store.runs import list_runs
from harness.telemetry.log_format import logging_to
from tests.builders import an_exchange
from tests.harness.gateway.copying import a_copy
from tests.scripted_shadow import behaving

__all__ = ["FLOOD", "NONE", "SHADOWS", "a_shadow_that", "copy_of"]

NONE: Final = "none"
SHADOWS: Final = ("healthy", "hangs", "floods", "crashes")
FLOOD: Final = 20  # copies of each request
_AUDIO: Final = b"a" * 100_000
_HEALTHY_S: Final = 0.05
_READY_S: Final = 60.0
_PER_SECOND: Final = ShadowSettings().per_second
_HANDED_OVER_S: Final = 0.015  # one copy
_NUMBERS: Final = itertools.count()
_MADE: Final = an_exchange()
_COPY: Final = a_copy()


def audio() -> bytes:
    """No two answers of a provider are alike, or the store would have the second one already."""
    return _AUDIO + next(_NUMBERS).to_bytes(8)


def copy_of(answer: bytes, **changes: Any) -> Copy:
    """What is offered once a caller has this answer; made from a pattern, which costs next to nothing."""
    made = replace(_MADE, result=Speech(audio=answer, extension="wav", sample_rate_hz=24_000))
    return replace(_COPY, request_id=f"r{next(_NUMBERS)}", exchanges={Lane.CONTROL: made}, **changes)


def a_shadow_that(name: str, home: Path, *, quota: QuotaSettings) -> ShadowProcess:
    """A process over a provider that behaves as `name` says."""
    settings = Settings(
        home=home,
        qwen=QwenSettings(quota=quota),
        gateway=GatewaySettings(shadow=ShadowSettings(budget_usd_per_day=1e6)),
    )
    return ShadowProcess(
        {Lane.CANDIDATE: "qwen"}, settings, clock=SystemClock(), command=behaving(name), silent_s=3_600.0
    )


def sent(home: Path) -> bool:
    """Whether a paid call is under way: all that one sees of a copy that hangs."""
    return any('"type":"intent"' in run.journal.read_text() for run in list_runs(home))


class _OnTurn:
    """A shadow for which time passes only while it is its turn."""

    def __init__(self, process: ShadowProcess) -> None:
        self._process = process
        self._clock = FakeClock()
        self._looked_s = time.monotonic()
        self.copies = Thinned(process, _PER_SECOND, clock=self._clock)
        self.copies._next_s = self._clock.monotonic()  # no turns are saved

    def pass_time(self) -> None:
        """As much as has passed since its turn began or this was asked last."""
        now_s = time.monotonic()
        self._clock.advance(now_s - self._looked_s)
        self._looked_s = now_s

    def go_on(self) -> None:
        """Its turn begins."""
        self._send(signal.SIGCONT)
        self._looked_s = time.monotonic()

    def stop(self) -> None:
        """Its turn is over."""
        self._send(signal.SIGSTOP)

    def _send(self, number: signal.Signals) -> None:
        if self._process.pid is not None:
            os.kill(self._process.pid, number)


class Server:
    """What callers ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shadows: dict[str, _OnTurn] = {}
        self._shadow: _OnTurn | None = None
        self._copies = 0  # of each request
        self._arm = NONE
        self._offers_s: list[float] = []
        self._unserved_s: dict[str, list[float]] = {}  # by arm, for each request
        self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._before_s = 0.0
        self._stack = AsyncExitStack()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = audio()
        response = web.Response(body=body)
        await response.prepare(request)
        await response.write_eof()
        unserved_s = self._so_far_unserved_s()
        self._unserved_s.setdefault(self._arm, []).append(unserved_s - self._before_s)
        self._before_s = unserved_s
        if self._shadow is not None:
            copy = copy_of(body)
            self._shadow.pass_time()
            for _ in range(self._copies):
                began_s = time.perf_counter()
                taken = self._shadow.copies.offer(copy)
                self._offers_s.append(time.perf_counter() - began_s)
                if taken:
                    copy = copy_of(body)  # no two requests have one id
        return response

    def _so_far_unserved_s(self) -> float:
        """How long this thread was ready and got no processor, as Linux counts it."""
        return int(os.pread(self._schedstat, 64, 0).split()[1]) / 1e9

    async def switch(self, request: web.Request) -> web.Response:
        """Stop the shadow whose turn it was, and let the one that is named go on."""
        name, self._arm = request.match_info["name"], request.query["arm"]
        if self._shadow is not None:
            self._shadow.stop()
        self._shadow, self._copies = None, 0
        if name != NONE:
            self._shadow = self._shadows[name] if name in self._shadows else await self._begun(name)
            self._shadow.go_on()
            self._copies = FLOOD if name == "floods" else 1
        self._before_s = self._so_far_unserved_s()
        return web.Response()

    async def _begun(self, name: str) -> _OnTurn:
        """At work as after a while: no turns are saved, and where copies hang there is no room for more of them."""
        process = a_shadow_that(name, self._folder / name, quota=OwnQuotaSettings())
        self._shadows[name] = shadow = _OnTurn(await self._stack.enter_async_context(process))
        process.offer(copy_of(audio()))
        async with asyncio.timeout(_READY_S):
            while not (process.counts.kept or process.counts.lost or sent(self._folder / name)):
                await asyncio.sleep(0.01)
        while name == "hangs" and process.offer(copy_of(audio())):
            await asyncio.sleep(_HANDED_OVER_S)
        return shadow

    async def told(self, _: web.Request) -> web.Response:
        p50, p99 = np.percentile(self._offers_s, [50, 99]) * 1e6
        unserved_us = {name: np.percentile(waits_s, 99) * 1e6 for name, waits_s in self._unserved_s.items()}
        counts = {name: asdict(shadow.copies.counts) for name, shadow in self._shadows.items()}
        offers = {"offers": len(self._offers_s), "p50_us": p50, "p99_us": p99}
        return web.json_response({**offers, "unserved_p99_us": unserved_us, "counts": counts})


async def copied(request: web.Request) -> web.Response:
    """What a backend of nginx' copies does."""
    name = request.match_info["name"]
    if name == "crashes" and request.transport:
        request.transport.abort()
    await asyncio.sleep({"healthy": _HEALTHY_S, "hangs": 3_600.0}.get(name, 0.0))
    return web.Response(body=_AUDIO)


async def serve(folder: Path) -> None:
    server, app = Server(folder), web.Application()
    app.router.add_get("/", server.answer)
    app.router.add_get("/told", server.told)
    app.router.add_get("/copied/{name}", copied)
    app.router.add_post("/shadow/{name}", server.switch)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024).start()
    print(runner.addresses[0][1], flush=True)
    with keeping_what_is_loaded():
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home, (Path(home) / "log").open("w") as lines, logging_to(lines):
        uvloop.run(serve(Path(home)))  # what goes wrong is logged, as in the gateway
