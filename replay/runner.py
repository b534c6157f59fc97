"""Send every leg of a plan once, lanes of a capture together, and keep the journal of it.

    schedule ─► capture ─► legs in their order ─► admission ─► provider ─► blob ─► result in the journal

What to send is the plan's business, when it is due the pacing's, what it may cost the budget's; here it only happens,
at a bounded concurrency, and stops cleanly when asked.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import OK, Capture, Cost, Exchange, Failure, Lane, Leg, Speech, Timing, Usage
from harness.progress import ProgressReport
from harness.providers.base import Deadline, Provider
from harness.speech import Operation, Voice, VoiceKind, billed_chars
from harness.store.blobs import BlobStore
from harness.store.ledger import Ledger
from harness.store.logbook import Logbook
from harness.store.rows import exchange_row
from replay.admission import LegAdmission
from replay.alarm import open_alarm
from replay.budget import Budget
from replay.consent import consent_problem
from replay.killswitch import KillSwitch
from replay.lateness import Lateness
from replay.pacing import AtOnce, Pacing
from replay.plan import PlanEntry, ReplayPlan
from replay.quota import Quota

__all__ = ["Replay", "Route"]

# One of these means that every further call would end the same way (fault F08: one row, not ten thousand).
_SWITCH_EVERY_S: Final = 0.25
_HOPELESS: Final = frozenset({ErrorKind.AUTH, ErrorKind.BILLING, ErrorKind.QUOTA})


@dataclass(slots=True, kw_only=True)
class Route:
    """Everything between a lane and its provider."""

    provider: Provider
    quota: Quota
    region: str | None
    deadline_s: float


class _Due(NamedTuple):
    """When a capture was due, by both clocks."""

    at: datetime
    s: float


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
    _failed: int = 0
    _pacer: "asyncio.Task[None] | None" = None

    async def run(self) -> Ledger:
        """Send all that is still to be sent and return the ledger.

        A call to `stop` ends it early: what is under way is finished, the rest stays to do.
        """
        self._book_unknown()
        todo = list(self._todo())
        await self._prepare_voices(todo)
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch_switch())
            async with asyncio.TaskGroup() as sending:
                self._pacer = sending.create_task(self._dispatch(sending, todo))
            watch.cancel()
        self.book.write({"type": "pacing", "pacing": repr(self.pacing), **self.lateness.summary()})
        await self.book.commit()
        return self.book.ledger

    def stop(self, reason: str) -> None:
        """Send nothing new; what is under way is finished."""
        self.stopped_because = self.stopped_because or reason
        if self._pacer is not None:
            self._pacer.cancel()

    def _book_unknown(self) -> None:
        """Legs that were sent and never answered count as spent, and are not sent again unasked."""
        if self.resend_unknown:
            return
        unknown = self.book.ledger.unknown
        for entry in self.plan.entries():
            for leg in entry.legs:
                if leg.key in unknown:
                    detail = "the run was killed after this was sent; its answer, if any, is lost"
                    exchange = self._unsent(leg, entry.capture, ErrorKind.UNKNOWN_OUTCOME, None, detail)
                    due = _Due(at=self.clock.now(), s=self.clock.monotonic())
                    self._keep(leg, exchange, due=due, admission=None, audio_sha256=None)

    def _todo(self) -> Iterator[PlanEntry]:
        """What still lacks an outcome."""
        for entry in self.plan.entries():
            legs = tuple(
                leg for leg in entry.legs if self.book.ledger.is_open(leg.key, resend_unknown=self.resend_unknown)
            )
            if legs:
                yield PlanEntry(entry.capture, legs)

    async def _watch_switch(self) -> None:
        """Stop within a second of the kill switch, even while nothing is due."""
        while not (pulled := self.switch.reason()):
            await self.clock.sleep(_SWITCH_EVERY_S)
        self.stop(pulled)

    async def _dispatch(self, group: asyncio.TaskGroup, todo: list[PlanEntry]) -> None:
        """Start every entry when it is due and there is room; cancelled by `stop`."""
        room = asyncio.Semaphore(self.concurrency)
        began_at, began_s = self.clock.now(), self.clock.monotonic()
        schedule = self.pacing.due_s(entry.capture.captured_at.timestamp() for entry in todo)
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
            async with asyncio.TaskGroup() as group:
                for leg in entry.legs:
                    group.create_task(self._send(leg, entry.capture, due))
        finally:
            room.release()

    async def _send(self, leg: Leg, capture: Capture, due: _Due) -> None:
        route = self.routes[leg.lane]
        admission = self._admission(leg.key, route)
        problem = consent_problem(capture, provider=route.provider.name, region=route.region, now=self.clock.now())
        if problem is not None:
            exchange = self._unsent(leg, capture, ErrorKind.UNSUPPORTED, "no_consent", problem)
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
        await self._forget_voice(route, capture, exchange)
        self._advance(exchange)

    def _heed_throttling(self, route: Route, exchange: Exchange) -> None:
        """Slow down for every attempt that the provider throttled, however the request ended."""
        failed = exchange.facts.get("failed_attempts", [])
        attempts = [*(failed if isinstance(failed, list) else []), exchange.outcome]
        for _ in range(attempts.count(ErrorKind.RATE_LIMITED.value)):
            route.quota.slow_down()

    def _admission(self, key: str, route: Route) -> LegAdmission:
        return LegAdmission(
            key, quota=route.quota, budget=self.budget, book=self.book, switch=self.switch, clock=self.clock
        )

    async def _store(self, exchange: Exchange) -> str | None:
        """Audio first, record second: a row never points at nothing."""
        if not isinstance(exchange.result, Speech):
            return None
        speech = exchange.result
        return await asyncio.get_running_loop().run_in_executor(None, self.blobs.put, speech.audio, speech.extension)

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
        self._failed += exchange.outcome != OK
        self.progress.advance(note=f"{self._failed} failed, ${self.budget.spent_microusd / 1e6:.2f} spent")
        if isinstance(exchange.result, Failure) and exchange.result.kind in _HOPELESS:
            failure = exchange.result
            self.stop(f"{exchange.provider} answered {failure.kind} ({failure.code}): {failure.detail}")

    def _unsent(self, leg: Leg, capture: Capture, kind: ErrorKind, code: str | None, detail: str) -> Exchange:
        """The exchange of a leg of which nothing, or nothing that is known, was sent."""
        route = self.routes[leg.lane]
        unknown = kind is ErrorKind.UNKNOWN_OUTCOME
        worst = sum(call["microusd"] or 0 for call in self.book.ledger.calls.values() if call["leg"] == leg.key)
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

    async def _prepare_voices(self, todo: list[PlanEntry]) -> None:
        """Make the voices that generated speech needs before any of it is timed."""
        for route in {id(route): route for route in self.routes.values()}.values():
            voices = {
                entry.capture.request.voice.id: entry.capture
                for entry in todo
                if entry.capture.request.operation is Operation.GENERATE
                and entry.capture.request.voice.kind is not VoiceKind.PRESET
                and consent_problem(
                    entry.capture, provider=route.provider.name, region=route.region, now=self.clock.now()
                )
                is None
            }
            wanted = [capture.request.voice for capture in voices.values()]
            missing = iter(await route.provider.missing_voices(wanted))
            async with asyncio.TaskGroup() as group:
                for _ in range(self.concurrency):
                    group.create_task(self._make_voices(route, missing, voices))

    async def _make_voices(self, route: Route, missing: Iterator[Voice], captures: Mapping[str, Capture]) -> None:
        while not self.stopped_because and (voice := next(missing, None)) is not None:
            admission = self._admission(f"voice:{voice.id}", route)
            try:
                made = await route.provider.prepare_voice(
                    voice,
                    language=captures[voice.id].request.language,
                    admission=admission,
                    deadline=Deadline(self.clock, route.deadline_s),
                )
            finally:
                admission.close()
            if isinstance(made, str):
                self._note_voice(route, made, "made", made_for=voice.id)
            elif isinstance(made, Failure) and made.kind in _HOPELESS:
                self.stop(f"{route.provider.name} answered {made.kind} ({made.code}): {made.detail}")

    async def _forget_voice(self, route: Route, capture: Capture, exchange: Exchange) -> None:
        """A voice that a clone or design leg made was only made to be measured."""
        if exchange.voice_id is None or capture.request.operation is Operation.GENERATE:
            return
        self._note_voice(route, exchange.voice_id, "made", made_for=capture.id)
        if await route.provider.delete_voice(exchange.voice_id):
            self._note_voice(route, exchange.voice_id, "deleted", made_for=capture.id)

    def _note_voice(self, route: Route, voice_id: str, event: str, *, made_for: str) -> None:
        self.book.write(
            {
                "type": "voice",
                "event": event,
                "provider": route.provider.name,
                "voice_id": voice_id,
                "made_for": made_for,
                "at": self.clock.now().isoformat(),
            }
        )
