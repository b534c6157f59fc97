"""Send every leg of a plan once, lanes of a capture together, and keep the journal of it.

    schedule ─► capture ─► places in every quota ─► legs in their order ─► admission ─► provider ─► blob ─► result

What to send is the plan's business, when it is due the pacing's, what it may cost the budget's; here it only happens,
at a bounded concurrency, and stops cleanly when asked.
"""

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from harness.capturing.consent import consent_problem
from harness.clock import Clock
from harness.errors import ErrorKind, HarnessError, NotAdmitted
from harness.exchanges import Capture, Cost, Exchange, Failure, Lane, Leg, Speech, Timing, Usage
from harness.progress import ProgressReport
from harness.providers.base import Deadline
from harness.speech import billed_chars
from harness.store.balance import Balance
from harness.store.blobs import BlobStore
from harness.store.grouped_blobs import GroupedBlobs
from harness.store.logbook import Logbook
from harness.store.rows import exchange_row
from replay.admission import Admissions, LegAdmission
from replay.alarm import open_alarm
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.lateness import Lateness
from replay.pacing import AtOnce, Pacing
from replay.plan import PlanEntry, ReplayPlan
from replay.quota import Quota
from replay.routes import Route
from replay.tally import Tally
from replay.voicing import Voicing, hopeless
from replay.warming import WarmUp, warm_up_captures

__all__ = ["Replay"]

_LOOK_EVERY_S: Final = 0.25  # at the kill switch: new sends stop within a second of it
_OWN_QUOTA: Final = "local.quota"  # code of a call that found no room in our own quota: no word of the provider's


class _Due(NamedTuple):
    """When a capture was due, by both clocks."""

    at: datetime
    s: float


class _Ready(NamedTuple):
    """A leg about to start, and whether its quota has let it through already."""

    leg: Leg
    problem: str | None  # why it may not be sent at all
    has_place: bool


@dataclass(slots=True, kw_only=True)
class Replay:
    """One run of a plan."""

    plan: ReplayPlan
    book: Logbook
    routes: Mapping[Lane, Route]
    budget: Budget
    switch: KillSwitch
    blobs: BlobStore
    clock: Clock
    concurrency: int
    progress: ProgressReport
    pacing: Pacing = field(default_factory=AtOnce)
    lateness: Lateness = field(default_factory=Lateness)
    resend_unknown: bool = False
    stopped_because: str | None = None
    tally: Tally = field(init=False)
    _admissions: Admissions = field(init=False)
    _voicing: Voicing = field(init=False)
    _grouped: GroupedBlobs = field(init=False)
    _pacer: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.tally = Tally(self.budget, self._quotas().values())
        self._admissions = Admissions(budget=self.budget, book=self.book, switch=self.switch, clock=self.clock)
        self._voicing = Voicing(book=self.book, admissions=self._admissions, clock=self.clock)
        self._grouped = GroupedBlobs(self.blobs)

    async def run(self) -> Balance:
        """Send all that is still to be sent and return what the journal adds up to.

        A call to `stop` ends it early: what is under way is finished, the rest stays to do.

        Raises:
            StoreError: What came back could not be kept, for want of space for example.
        """
        self._book_unknown()
        try:
            await self._send_everything()
        except BaseExceptionGroup as several:
            # Of all that broke at the same time, one sentence is enough for whoever has to mend it.
            told = next(_own_faults(several), None)
            raise (told or several) from None
        self._note_pacing()
        await self.book.commit()
        return self.book.balance

    async def _send_everything(self) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            if any(self._todo()):
                await self._prepare()
            async with asyncio.TaskGroup() as sending:
                self._pacer = sending.create_task(self._dispatch(sending))
            watch.cancel()

    def stop(self, reason: str) -> None:
        """Send nothing new; what is under way is finished, what waits for quota is not sent."""
        self.stopped_because = self.stopped_because or reason
        self.switch.pull(reason)
        if self._pacer is not None:
            self._pacer.cancel()

    def _quotas(self) -> dict[str, Quota]:
        return {route.provider.name: route.quota for route in self.routes.values()}

    def _note_pacing(self) -> None:
        """How this sitting went; a run that was resumed has several."""
        quotas = self._quotas()
        self.book.write(
            {
                "type": "pacing",
                "pacing": repr(self.pacing),
                "captures": len(self.lateness),
                "quota_waited_s": {name: round(quota.waited_s, 3) for name, quota in quotas.items()},
                "throttled": {name: quota.throttled for name, quota in quotas.items()},
                **self.lateness.summary(),
            }
        )

    async def _prepare(self) -> None:
        """Make the voices that generated speech needs, and warm up, before any of it is timed."""
        routes = dict.fromkeys(self.routes.values())
        if reason := await self._voicing.prepare(routes, self._still_to_send(), at_once=self.concurrency):
            self.stop(reason)
            return
        warm_up = WarmUp(book=self.book, admissions=self._admissions, routes=self.routes, clock=self.clock)
        chosen = warm_up_captures(self.plan.captures, self.plan.warm_up)
        if reason := await warm_up.run(chosen, at_once=self.concurrency):
            self.stop(reason)

    def _book_unknown(self) -> None:
        """Legs that were sent and never answered count as spent, and are not sent again unasked."""
        unknown = self.book.balance.unknown
        if self.resend_unknown or not unknown:
            return
        for entry in self.plan.entries():
            for leg in entry.legs:
                if leg.key in unknown:
                    detail = "the run was killed after this was sent; its answer, if any, is lost"
                    exchange = self._unsent(leg, entry.capture, ErrorKind.UNKNOWN_OUTCOME, None, detail)
                    due = _Due(at=self.clock.now(), s=self.clock.monotonic())
                    self._keep(leg, exchange, due=due, admission=None, audio_sha256=None)

    def _todo(self) -> Iterator[PlanEntry]:
        """What still lacks an outcome, looked for as it goes on: no list of it is ever held."""
        for entry in self.plan.entries():
            legs = tuple(
                leg for leg in entry.legs if self.book.balance.is_open(leg.key, resend_unknown=self.resend_unknown)
            )
            if legs:
                yield PlanEntry(entry.capture, legs)

    async def _watch(self) -> None:
        """Stop soon after the kill switch, even while nothing is due, and let progress tell of time that passes."""
        while not (pulled := self.switch.reason()):
            self.progress.advance(0, note=self.tally.line)
            await self.clock.sleep(_LOOK_EVERY_S)
        self.stop(pulled)

    def _still_to_send(self) -> Iterator[Capture]:
        return (entry.capture for entry in self._todo())

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        """Start every entry when it is due and there is room; cancelled by `stop`."""
        room = asyncio.Semaphore(self.concurrency)
        began_at, began_s = self.clock.now(), self.clock.monotonic()
        todo, ahead = itertools.tee(self._todo())
        schedule = self.pacing.due_s(entry.capture.captured_at.timestamp() for entry in ahead)
        async with open_alarm(self.clock) as alarm:
            for entry, offset_s in zip(todo, schedule, strict=True):
                if self.stopped_because:
                    return
                if offset_s is not None:
                    await alarm.until(began_s + offset_s)
                await room.acquire()
                now_s = self.clock.monotonic()
                due_s = now_s if offset_s is None else began_s + offset_s
                self.lateness.add(now_s - due_s)
                due = _Due(at=began_at + timedelta(seconds=due_s - began_s), s=due_s)
                group.create_task(self._send_all(entry, due, room))

    async def _send_all(self, entry: PlanEntry, due: _Due, room: asyncio.Semaphore) -> None:
        try:
            ready = [self._ready(leg, entry.capture) for leg in entry.legs]
            try:
                await self._take_places(ready)
            except NotAdmitted:
                return  # nothing was sent, all of it stays to do
            async with asyncio.TaskGroup() as group:
                for leg in ready:
                    group.create_task(self._send(leg, entry.capture, due))
        finally:
            room.release()

    def _ready(self, leg: Leg, capture: Capture) -> _Ready:
        route = self.routes[leg.lane]
        problem = consent_problem(capture, provider=route.provider.name, region=route.region, now=self.clock.now())
        # What costs nothing is refused before it is sent, and needs no place.
        return _Ready(leg, problem, problem is None and route.provider.worst_microusd(capture.request) != 0)

    async def _take_places(self, legs: list[_Ready]) -> None:
        """Wait until every leg may be sent, so that all of them start together.

        The scarcest quota comes last: what is sent right after it stays within it.
        """
        quotas = [self.routes[ready.leg.lane].quota for ready in legs if ready.has_place]
        async with self.switch.abandoning():
            for quota in sorted(quotas, key=lambda quota: -quota.rate_hz):
                await quota.admit()

    async def _send(self, ready: _Ready, capture: Capture, due: _Due) -> None:
        leg, route = ready.leg, self.routes[ready.leg.lane]
        admission = self._admissions.to(leg.key, route.quota, has_place=ready.has_place)
        self.tally.in_flight += 1
        if ready.problem is not None:
            exchange = self._unsent(leg, capture, ErrorKind.UNSUPPORTED, "no_consent", ready.problem)
        else:
            deadline = Deadline(self.clock, route.deadline_s)
            try:
                exchange = await route.provider.synthesize(capture.request, admission=admission, deadline=deadline)
            finally:
                admission.close()
        self._heed_throttling(route, exchange)
        audio_sha256 = await self._store(exchange)
        self._keep(leg, exchange, due=due, admission=admission, audio_sha256=audio_sha256)
        await self.book.commit()
        await self._voicing.forget(route, capture, exchange)
        self._advance(exchange)

    def _heed_throttling(self, route: Route, exchange: Exchange) -> None:
        """Slow down for every attempt that the provider throttled, however the request ended."""
        failed = exchange.facts.get("failed_attempts", [])
        attempts = [*(failed if isinstance(failed, list) else [])]
        if not isinstance(exchange.result, Failure) or exchange.result.code != _OWN_QUOTA:
            attempts.append(exchange.outcome)
        for _ in range(attempts.count(ErrorKind.RATE_LIMITED.value)):
            route.quota.slow_down()

    async def _store(self, exchange: Exchange) -> str | None:
        """Audio first, record second: a row never points at nothing."""
        if not isinstance(exchange.result, Speech):
            return None
        speech = exchange.result
        return await self._grouped.put(speech.audio, speech.extension)

    def _keep(
        self,
        leg: Leg,
        exchange: Exchange,
        *,
        due: _Due,
        admission: LegAdmission | None,
        audio_sha256: str | None,
    ) -> None:
        row = exchange_row(
            leg,
            exchange,
            due_at=due.at,
            admitted_at=admission.admitted_at if admission else None,
            queued_s=(admission.admitted_s or due.s) - due.s if admission else None,
            own_wait_s=admission.own_wait_s if admission else 0.0,
            audio_sha256=audio_sha256,
        )
        self.book.write({"type": "result", "leg": leg.key, "row": row, "at": self.clock.now().isoformat()})

    def _advance(self, exchange: Exchange) -> None:
        self.tally.in_flight -= 1
        self.tally.answered(exchange.outcome)
        self.progress.advance(note=self.tally.line)
        if isinstance(exchange.result, Failure) and (reason := hopeless(exchange.provider, exchange.result)):
            self.stop(reason)

    def _unsent(self, leg: Leg, capture: Capture, kind: ErrorKind, code: str | None, detail: str) -> Exchange:
        """The exchange of a leg of which nothing, or nothing that is known, was sent."""
        route = self.routes[leg.lane]
        unknown = kind is ErrorKind.UNKNOWN_OUTCOME
        worst = self.book.balance.cost_of(leg.key)
        return Exchange(
            provider=route.provider.name,
            model=None,
            region=route.region,
            operation=capture.request.operation,
            result=Failure(kind=kind, code=code, detail=detail),
            timing=Timing(sent_at=self.clock.now(), service_s=0.0),
            usage=Usage(unit="characters", units=0.0, counted_chars=billed_chars(capture.request.spoken_text)),
            cost=Cost(microusd=worst if unknown else 0, basis="worst case" if unknown else "nothing was sent"),
            attempts=1 if unknown else 0,
        )


def _own_faults(several: BaseExceptionGroup[BaseException]) -> Iterator[HarnessError]:
    """Every error of a group, at any depth, that we have a sentence for."""
    for error in several.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _own_faults(error)
        elif isinstance(error, HarnessError):
            yield error
