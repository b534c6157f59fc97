"""Copies of answered requests, sent to the other provider for comparison only, and the runs they are kept in.

A bulkhead: providers, connections, workers, quota share, deadline and money of its own. The live path offers a copy
and goes on; a queue that is full drops it and counts that. Nothing here ever answers a caller.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TypeVar

from harness.capturing.consent import consent_problem
from harness.clock import Clock
from harness.config import ShadowSettings
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Exchange, Failure, Lane, Leg, Speech
from harness.gateway.copies import Copy, RunKind
from harness.gateway.copy_admission import CopyAdmission, DayBudget, Pace
from harness.gateway.expiry import expire_live_runs
from harness.gateway.live_run import LiveRun, balance_runs, lost_row, spent_today
from harness.providers.base import Deadline, Provider
from harness.speech import Operation
from harness.store.blobs import BlobStore
from harness.store.rows import exchange_row

__all__ = ["Shadow", "ShadowCounts", "ShadowRoute"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_MAX_BYTES: Final = 64 * 1024 * 1024  # of audio that waits
_DISK_THREADS: Final = 2
_AGAIN_S: Final = 60.0  # after a journal could not be written


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRoute:
    """Where copies to one lane go."""

    provider: Provider  # its own, with connections of its own
    pace: Pace
    region: str | None


@dataclass(slots=True)
class ShadowCounts:
    """What became of the copies: offered = dropped + kept + lost + those that wait or are under way."""

    offered: int = 0
    dropped: int = 0  # the queue was full
    kept: int = 0  # exchanges are in a run
    lost: int = 0  # they could not be written
    sent: int = 0  # copies that a provider got
    failed: int = 0  # … and answered without speech
    withheld: int = 0  # copies that did not go out: no consent, no money, switched off
    voiceless: int = 0  # … of these, for want of a voice that nobody has made at the provider yet


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
        self.counts = ShadowCounts()
        self._routes = routes
        self._settings = settings
        self._home = home
        self._blobs = blobs
        self._clock = clock
        self._kill_reason = kill_reason
        self._plan = plan
        self._processes = processes
        self._budget = DayBudget(0, clock=clock)
        self._queue: asyncio.Queue[Copy] = asyncio.Queue(settings.queue)
        self._waiting_bytes = 0
        self._runs: dict[RunKind, LiveRun] = {}
        self._broken_until_s = -float("inf")
        self._opening = asyncio.Lock()
        self._disk = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="shadow")
        self._stack = AsyncExitStack()
        self._open = False

    @property
    def waiting(self) -> int:
        """Copies that nobody works on yet."""
        return self._queue.qsize()

    @property
    def spent_microusd(self) -> int:
        """What copies of this process cost today."""
        return self._budget.spent_microusd

    def __contains__(self, lane: Lane | None) -> bool:
        """Whether copies can go to this lane."""
        return lane in self._routes

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(balance_runs, self._home, clock=self._clock)
        await asyncio.to_thread(self._expire)
        spent = await asyncio.to_thread(spent_today, self._home, self._clock.now())
        cap = round(self._settings.budget_usd_per_day * 1e6 / self._processes)
        self._budget = DayBudget(cap, clock=self._clock, spent_microusd=spent // self._processes)
        for route in self._routes.values():
            await self._stack.enter_async_context(route.provider)
        self._stack.push_async_callback(self._close_runs)
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
        while not self._queue.empty():
            self._drop(self._queue.get_nowait())

    def offer(self, copy: Copy) -> bool:
        """Take a copy if there is room, and say whether it was; never waits and never raises."""
        self.counts.offered += 1
        size = copy.size_bytes
        if not self._open or self._waiting_bytes + size > _MAX_BYTES:
            self.counts.dropped += 1
            return False
        try:
            self._queue.put_nowait(copy)
        except asyncio.QueueFull:
            self.counts.dropped += 1
            return False
        self._waiting_bytes += size
        return True

    def note_throttled(self, lane: Lane) -> None:
        """Slow down: a caller's own call to this lane was answered 429, and callers come first."""
        if lane in self._routes:
            self._routes[lane].pace.slow_down()

    def _drop(self, copy: Copy) -> None:
        self.counts.dropped += 1
        self._tell(copy, None)

    def _tell(self, copy: Copy, exchange: Exchange | None) -> None:
        try:
            copy.done(exchange)
        except Exception:  # the callback is the live path's; its fault must not end a worker
            log.exception("copy's outcome not taken")

    async def _work(self) -> None:
        while True:
            copy = await self._queue.get()
            self._waiting_bytes -= copy.size_bytes
            exchange: Exchange | None = None
            try:
                exchange = await self._carry_out(copy)
                self.counts.kept += 1
            except StoreError as error:
                await self._break_off(copy.kind, error)
            except Exception:  # whatever a copy does, the next one is sent
                self.counts.lost += 1
                log.exception("copy failed", extra={"request": copy.request_id})
            finally:
                self._tell(copy, exchange)

    async def _break_off(self, kind: RunKind, error: StoreError) -> None:
        """A journal that cannot be written ends its run; another is tried in a minute."""
        self.counts.lost += 1
        self._broken_until_s = self._clock.monotonic() + _AGAIN_S
        run = self._runs.pop(kind, None)
        log.error("live exchanges not kept", extra={"error": str(error)})
        if run is not None and not run.under_way:
            await self._close(run)

    async def _carry_out(self, copy: Copy) -> Exchange | None:
        """Write down what the caller got, send the copy, write down what it got."""
        run = await self._run(copy.kind)
        legs = {
            lane: Leg(capture_id=copy.request_id, repetition=0, lane=lane, position=position)
            for position, lane in enumerate(copy.lanes)
        }
        run.under_way += 1
        try:
            run.add(copy.capture(), tuple(legs.values()))
            for lane, exchange in copy.exchanges.items():
                await self._keep(run, legs[lane], exchange, copy, admission=None)
            sent = None
            if copy.to is not None and copy.to not in copy.exchanges:
                sent = await self._send(run, legs[copy.to], copy)
            await run.commit()
            return sent
        finally:
            for leg in legs.values():
                if leg.key in run.open_legs:
                    self._write_lost(run, leg, copy, ErrorKind.INTERNAL, microusd=0)
            run.under_way -= 1
            if run not in self._runs.values() and not run.under_way:
                await self._close(run)

    async def _run(self, kind: RunKind) -> LiveRun:
        """The run in which the next exchanges of this kind belong."""
        async with self._opening:
            now = self._clock.now()
            current = self._runs.get(kind)
            if current is not None and not current.is_over(now):
                return current
            if self._clock.monotonic() < self._broken_until_s:
                raise StoreError("the last journal could not be written; waiting before another is tried")
            make = partial(LiveRun, self._home, kind=kind, plan=self._plan(), clock=self._clock)
            self._runs[kind] = await self._on_disk(make)
        if current is not None and not current.under_way:
            await self._close(current)
            self._disk.submit(self._expire)  # a run ends with its day, so once a day somebody looks
        return self._runs[kind]

    def _expire(self) -> None:
        expire_live_runs(self._home, keep_days=self._settings.keep_days, now=self._clock.now())

    async def _on_disk(self, work: Callable[[], Result]) -> Result:
        """Do what may wait for the disk: in threads of our own, since a caller may need one of the others."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _send(self, run: LiveRun, leg: Leg, copy: Copy) -> Exchange | None:
        route = self._routes[leg.lane]
        if self._problem(route, copy) is not None:
            self._withhold(run, leg, copy)
            return None
        admission = CopyAdmission(
            leg.key,
            run=run,
            pace=route.pace,
            budget=self._budget,
            stop_reason=self._kill_reason if leg.lane is Lane.CANDIDATE else lambda: None,
            clock=self._clock,
        )
        try:
            deadline = Deadline(self._clock, self._settings.deadline_s)
            exchange = await route.provider.synthesize(copy.request, admission=admission, deadline=deadline)
        except BaseException:
            admission.close()
            kind = ErrorKind.CANCELLED if admission.admitted_at is None else ErrorKind.UNKNOWN_OUTCOME
            self._write_lost(run, leg, copy, kind, microusd=admission.booked_microusd)
            raise
        admission.close()
        if isinstance(exchange.result, Failure) and exchange.result.code == "local.not_prepared":
            # The first caller whom Qwen is to answer has the voice made; a copy pays for none that outlives it.
            self.counts.voiceless += 1
            self._withhold(run, leg, copy)
            return None
        await self._keep(run, leg, exchange, copy, admission=admission)
        self._count(route, exchange, admission)
        await self._forget_voice(run, route, copy, exchange)
        return exchange if admission.admitted_at else None

    def _withhold(self, run: LiveRun, leg: Leg, copy: Copy) -> None:
        self.counts.withheld += 1
        self._write_lost(run, leg, copy, ErrorKind.UNSUPPORTED, microusd=0)

    def _problem(self, route: ShadowRoute, copy: Copy) -> str | None:
        """Why this voice's recording must not go to the other provider."""
        name = route.provider.name
        return consent_problem(copy.capture(), provider=name, region=route.region, now=self._clock.now())

    def _count(self, route: ShadowRoute, exchange: Exchange, admission: CopyAdmission) -> None:
        if admission.admitted_at is None:
            self.counts.withheld += 1
            return
        self.counts.sent += 1
        self.counts.failed += not isinstance(exchange.result, Speech)
        if exchange.outcome == ErrorKind.RATE_LIMITED:
            route.pace.slow_down()

    def _write_lost(self, run: LiveRun, leg: Leg, copy: Copy, kind: ErrorKind, *, microusd: int) -> None:
        operation = copy.request.operation.value
        run.write_result(leg, lost_row(asdict(leg), operation, kind, microusd=microusd, now=self._clock.now()))

    async def _keep(
        self, run: LiveRun, leg: Leg, exchange: Exchange, copy: Copy, *, admission: CopyAdmission | None
    ) -> None:
        """Audio first, record second: a row never points at nothing."""
        speech = exchange.result if isinstance(exchange.result, Speech) else None
        audio_sha256 = None
        if speech is not None:
            try:
                audio_sha256 = await self._on_disk(partial(self._blobs.put, speech.audio, speech.extension))
            except OSError as error:
                raise StoreError(f"{self._blobs.root}: {error.strerror}; live exchanges are not kept") from None
        at = exchange.timing.sent_at
        admitted_at = admission.admitted_at if admission else at
        row = exchange_row(
            leg,
            exchange,
            due_at=admitted_at or at,
            admitted_at=admitted_at,
            queued_s=0.0 if admitted_at else None,  # nobody waits for a copy, so it is never late
            own_wait_s=admission.own_wait_s if admission else 0.0,
            audio_sha256=audio_sha256,
        )
        run.write_result(leg, row)

    async def _forget_voice(self, run: LiveRun, route: ShadowRoute, copy: Copy, exchange: Exchange) -> None:
        """A voice that a copy of a creation made was only made to be measured."""
        if exchange.voice_id is None or copy.request.operation is Operation.GENERATE:
            return
        note = {"type": "voice", "provider": route.provider.name, "voice_id": exchange.voice_id}
        run.write({**note, "event": "made", "made_for": copy.request_id, "at": self._clock.now().isoformat()})
        if await route.provider.delete_voice(exchange.voice_id):
            run.write({**note, "event": "deleted", "made_for": copy.request_id, "at": self._clock.now().isoformat()})

    async def _close_runs(self) -> None:
        for run in self._runs.values():
            await self._close(run)
        self._runs.clear()
        self._disk.shutdown(wait=False)

    async def _close(self, run: LiveRun) -> None:
        try:
            await self._on_disk(run.close)
        except (StoreError, OSError) as error:
            log.error("live run not closed", extra={"run": run.run.id, "error": str(error)})
