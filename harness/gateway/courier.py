"""Carries one copy out: has the other provider do the same, and writes down what both made of it."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial

from harness.capturing.consent import consent_problem
from harness.clock import Clock
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Exchange, Failure, Lane, Leg, Speech
from harness.gateway.copies import Copy, ShadowCounts
from harness.gateway.copy_admission import CopyAdmission, DayBudget, Pace
from harness.gateway.live_run import LiveRun, lost_row
from harness.providers.base import Deadline, Provider
from harness.speech import Operation
from harness.store.blobs import BlobStore
from harness.store.rows import exchange_row

__all__ = ["Courier", "ShadowRoute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRoute:
    """Where copies to one lane go."""

    provider: Provider  # its own, with connections of its own
    pace: Pace
    region: str | None


class Courier:
    """Of one process; its providers are opened and closed by whoever made it."""

    def __init__(
        self,
        routes: Mapping[Lane, ShadowRoute],
        *,
        counts: ShadowCounts,
        budget: DayBudget,
        deadline_s: float,
        blobs: BlobStore,
        disk: Executor,
        kill_reason: Callable[[], str | None],
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            routes: Where copies go, by lane.
            counts: What became of them is added here.
            budget: What they may cost today.
            deadline_s: For one of them, all attempts together.
            blobs: Where audio is kept.
            disk: Threads that may wait for it: of our own, since a caller may need one of the others.
            kill_reason: What cut Qwen off; asked right before each call to it.
            clock: Times.
        """
        self._routes = routes
        self._counts = counts
        self._budget = budget
        self._deadline_s = deadline_s
        self._blobs = blobs
        self._disk = disk
        self._kill_reason = kill_reason
        self._clock = clock

    async def carry_out(self, copy: Copy, run: LiveRun) -> Exchange | None:
        """What the other provider made of it; None when it was not sent. Every leg gets its row, whatever happens.

        Raises:
            StoreError: The journal or the audio could not be written.
        """
        legs = {
            lane: Leg(capture_id=copy.request_id, repetition=0, lane=lane, position=position)
            for position, lane in enumerate(copy.lanes)
        }
        try:
            run.add(copy.capture(), tuple(legs.values()))
            for lane, exchange in copy.exchanges.items():
                await self._keep(run, legs[lane], exchange, admission=None)
            sent = None
            if copy.to is not None and copy.to not in copy.exchanges:
                sent = await self._send(run, legs[copy.to], copy)
            await run.commit()
            return sent
        finally:
            for leg in legs.values():
                if leg.key in run.open_legs:
                    self._write_lost(run, leg, copy, ErrorKind.INTERNAL, microusd=0)

    async def _send(self, run: LiveRun, leg: Leg, copy: Copy) -> Exchange | None:
        route = self._routes[leg.lane]
        if self._problem(route, copy) is not None:
            self._withhold(run, leg, copy)
            return None
        admission = self._admission(run, leg, route)
        try:
            deadline = Deadline(self._clock, self._deadline_s)
            exchange = await route.provider.synthesize(copy.request, admission=admission, deadline=deadline)
        except BaseException:
            admission.close()
            kind = ErrorKind.CANCELLED if admission.admitted_at is None else ErrorKind.UNKNOWN_OUTCOME
            self._write_lost(run, leg, copy, kind, microusd=admission.booked_microusd)
            raise
        admission.close()
        if isinstance(exchange.result, Failure) and exchange.result.code == "local.not_prepared":
            # The first caller whom Qwen is to answer has the voice made; a copy pays for none that outlives it.
            self._counts.voiceless += 1
            self._withhold(run, leg, copy)
            return None
        await self._keep(run, leg, exchange, admission=admission)
        self._count(route, exchange, admission)
        await self._forget_voice(run, route, copy, exchange)
        return exchange if admission.admitted_at else None

    def _admission(self, run: LiveRun, leg: Leg, route: ShadowRoute) -> CopyAdmission:
        return CopyAdmission(
            leg.key,
            run=run,
            pace=route.pace,
            budget=self._budget,
            stop_reason=self._kill_reason if leg.lane is Lane.CANDIDATE else lambda: None,
            clock=self._clock,
        )

    def _problem(self, route: ShadowRoute, copy: Copy) -> str | None:
        """Why this voice's recording must not go to the other provider."""
        name = route.provider.name
        return consent_problem(copy.capture(), provider=name, region=route.region, now=self._clock.now())

    def _withhold(self, run: LiveRun, leg: Leg, copy: Copy) -> None:
        self._counts.withheld += 1
        self._write_lost(run, leg, copy, ErrorKind.UNSUPPORTED, microusd=0)

    def _count(self, route: ShadowRoute, exchange: Exchange, admission: CopyAdmission) -> None:
        if admission.admitted_at is None:
            self._counts.withheld += 1
            return
        self._counts.sent += 1
        self._counts.failed += not isinstance(exchange.result, Speech)
        if exchange.outcome == ErrorKind.RATE_LIMITED:
            route.pace.slow_down()

    def _write_lost(self, run: LiveRun, leg: Leg, copy: Copy, kind: ErrorKind, *, microusd: int) -> None:
        operation = copy.request.operation.value
        run.write_result(leg, lost_row(asdict(leg), operation, kind, microusd=microusd, now=self._clock.now()))

    async def _keep(self, run: LiveRun, leg: Leg, exchange: Exchange, *, admission: CopyAdmission | None) -> None:
        """Audio first, record second: a row never points at nothing."""
        audio_sha256 = await self._stored(exchange.result) if isinstance(exchange.result, Speech) else None
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

    async def _stored(self, speech: Speech) -> str:
        """The name under which its audio is on disk."""
        put = partial(self._blobs.put, speech.audio, speech.extension)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._disk, put)
        except OSError as error:
            raise StoreError(f"{self._blobs.root}: {error.strerror}; live exchanges are not kept") from None

    async def _forget_voice(self, run: LiveRun, route: ShadowRoute, copy: Copy, exchange: Exchange) -> None:
        """A voice that a copy of a creation made was only made to be measured."""
        if exchange.voice_id is None or copy.request.operation is Operation.GENERATE:
            return
        note = {"type": "voice", "provider": route.provider.name, "voice_id": exchange.voice_id}
        run.write({**note, "event": "made", "made_for": copy.request_id, "at": self._clock.now().isoformat()})
        if await route.provider.delete_voice(exchange.voice_id):
            run.write({**note, "event": "deleted", "made_for": copy.request_id, "at": self._clock.now().isoformat()})
