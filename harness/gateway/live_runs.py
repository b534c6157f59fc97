"""The runs that copies are written into: one of each kind at a time, and a new one when it is over or broke."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from harness.clock import Clock
from harness.errors import StoreError
from harness.gateway.copies import RunKind
from harness.gateway.expiry import expire_live_runs
from harness.gateway.live_run import LiveRun, balance_runs, spent_today

__all__ = ["LiveRuns", "recovered"]

log = logging.getLogger(__name__)

_AGAIN_S: Final = 60.0  # after a journal could not be written


def recovered(home: Path, *, keep_days: int, clock: Clock) -> int:
    """Balance the runs that a kill left open, delete those that are old enough, and say what copies cost today.

    In micro-dollars, by all processes. Reads whole journals: not for the event loop.
    """
    balance_runs(home, clock=clock)
    expire_live_runs(home, keep_days=keep_days, now=clock.now())
    return spent_today(home, clock.now())


class LiveRuns:
    """Of one process; close them in the end."""

    def __init__(
        self, home: Path, *, plan: Callable[[], Mapping[str, Any]], keep_days: int, disk: Executor, clock: Clock
    ) -> None:
        """Open nothing yet.

        Args:
            home: Under which runs are kept.
            plan: What new runs are about.
            keep_days: After which a run is deleted.
            disk: Threads that may wait for the disk.
            clock: Times.
        """
        self._home = home
        self._plan = plan
        self._keep_days = keep_days
        self._disk = disk
        self._clock = clock
        self._open: dict[RunKind, LiveRun] = {}
        self._broken_until_s = -float("inf")
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def writing(self, kind: RunKind) -> AsyncIterator[LiveRun]:
        """The run in which the next exchanges of this kind belong; it stays open until the end of the block.

        Raises:
            StoreError: None can be written now.
        """
        run = await self._current(kind)
        run.under_way += 1
        try:
            yield run
        finally:
            run.under_way -= 1
            if run not in self._open.values():
                await self._close_idle(run)

    async def break_off(self, kind: RunKind) -> None:
        """End the run of this kind, whose journal cannot be written; another is tried in a minute."""
        self._broken_until_s = self._clock.monotonic() + _AGAIN_S
        run = self._open.pop(kind, None)
        if run is not None:
            await self._close_idle(run)

    async def close(self) -> None:
        """End all of them."""
        for run in self._open.values():
            await self._close(run)
        self._open.clear()

    def expire(self) -> None:
        """Delete runs that are old enough; reads folders, so not for the event loop."""
        expire_live_runs(self._home, keep_days=self._keep_days, now=self._clock.now())

    async def _current(self, kind: RunKind) -> LiveRun:
        async with self._opening:
            current = self._open.get(kind)
            if current is not None and not current.is_over(self._clock.now()):
                return current
            if self._clock.monotonic() < self._broken_until_s:
                raise StoreError("the last journal could not be written; waiting before another is tried")
            make = partial(LiveRun, self._home, kind=kind, plan=self._plan(), clock=self._clock)
            run = self._open[kind] = await asyncio.get_running_loop().run_in_executor(self._disk, make)
        if current is not None:
            await self._close_idle(current)
            self._disk.submit(self.expire)  # a run ends with its day, so once a day somebody looks
        return run

    async def _close_idle(self, run: LiveRun) -> None:
        """Close a run that is not written any more; whoever is still at it does so later."""
        if not run.under_way:
            await self._close(run)

    async def _close(self, run: LiveRun) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._disk, run.close)
        except (StoreError, OSError) as error:
            log.error("live run not closed", extra={"run": run.run.id, "error": str(error)})
