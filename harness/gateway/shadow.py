"""Copies of answered requests, sent to the other provider for comparison only, and kept in runs.

A bulkhead: providers, connections, workers, quota share, deadline and money of its own. The live path offers a copy
and goes on; a queue that is full drops it and counts that. Nothing here ever answers a caller. How a copy is carried
out is the courier's business.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from harness.clock import Clock
from harness.config import ShadowSettings
from harness.errors import StoreError
from harness.exchanges import Exchange, Lane
from harness.gateway.copies import Copy, ShadowCounts
from harness.gateway.copy_admission import DayBudget
from harness.gateway.copy_queue import CopyQueue
from harness.gateway.courier import Courier, ShadowRoute
from harness.gateway.live_runs import LiveRuns, recovered
from harness.store.blobs import BlobStore

__all__ = ["Shadow"]

log = logging.getLogger(__name__)

_DISK_THREADS: Final = 2


class Shadow:
    """Open with `async with`: that owns the workers, and closing it ends them."""

    def __init__(
        self,
        routes: Mapping[Lane, ShadowRoute],
        *,
        settings: ShadowSettings,
        home: Path,
        blobs: BlobStore,
        clock: Clock,
        kill_reason: Callable[[], str | None],
        plan: Callable[[], Mapping[str, Any]] = lambda: MappingProxyType({}),
        processes: int = 1,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            routes: Where copies go, by lane.
            settings: How much work they may make.
            home: Under which runs are kept.
            blobs: Where audio is kept.
            clock: Times and waits.
            kill_reason: What cut Qwen off; asked right before each call to it.
            plan: What new runs are about: models, price version, epochs.
            processes: How many share the day's budget.
        """
        self._counts = ShadowCounts()
        self._routes = routes
        self._settings = settings
        self._home = home
        self._clock = clock
        self._processes = processes
        self._queue = CopyQueue(settings.queue)
        self._disk = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="shadow")
        cap = round(settings.budget_usd_per_day * 1e6 / processes)
        self._budget = DayBudget(cap, clock=clock)
        self._runs = LiveRuns(home, plan=plan, keep_days=settings.keep_days, disk=self._disk, clock=clock)
        self._courier = Courier(
            routes,
            counts=self._counts,
            budget=self._budget,
            deadline_s=settings.deadline_s,
            blobs=blobs,
            disk=self._disk,
            kill_reason=kill_reason,
            clock=clock,
        )
        self._stack = AsyncExitStack()
        self._open = False

    @property
    def counts(self) -> ShadowCounts:
        """What became of all copies so far."""
        return self._counts

    @property
    def waiting(self) -> int:
        """Copies that nobody works on yet."""
        return len(self._queue)

    @property
    def spent_microusd(self) -> int:
        """What copies of this process cost today."""
        return self._budget.spent_microusd

    def __contains__(self, lane: Lane | None) -> bool:
        """Whether copies can go to this lane."""
        return lane in self._routes

    async def __aenter__(self) -> Self:
        spent = await asyncio.to_thread(recovered, self._home, keep_days=self._settings.keep_days, clock=self._clock)
        self._budget.book(spent // self._processes)
        self._stack.callback(self._disk.shutdown, wait=False)
        for route in self._routes.values():
            await self._stack.enter_async_context(route.provider)
        self._stack.push_async_callback(self._runs.close)
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        workers = [group.create_task(self._work()) for _ in range(self._settings.concurrency)]
        self._stack.callback(lambda: [worker.cancel() for worker in workers])
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        await self._stack.aclose()
        for copy in self._queue.empty_out():
            self._counts.dropped += 1
            copy.tell(None)

    def offer(self, copy: Copy) -> bool:
        """Take a copy if there is room, and say whether it was; never waits and never raises."""
        self._counts.offered += 1
        taken = self._open and self._queue.offer(copy)
        self._counts.dropped += not taken
        return taken

    def note_throttled(self, lane: Lane) -> None:
        """Slow down: a caller's own call to this lane was answered 429, and callers come first."""
        if lane in self._routes:
            self._routes[lane].pace.slow_down()

    async def _work(self) -> None:
        while True:
            copy = await self._queue.take()
            exchange: Exchange | None = None
            try:
                async with self._runs.writing(copy.kind) as run:
                    exchange = await self._courier.carry_out(copy, run)
                self._counts.kept += 1
            except StoreError as error:
                self._counts.lost += 1
                log.error("live exchanges not kept", extra={"error": str(error)})
                await self._runs.break_off(copy.kind)
            except Exception:  # whatever a copy does, the next one is sent
                self._counts.lost += 1
                log.exception("copy failed", extra={"request": copy.request_id})
            finally:
                copy.tell(exchange)
