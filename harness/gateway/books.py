"""Writes down what became of each request once its caller has the answer: triggers, metrics, log, copies, captures."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from harness.clock import Clock
from harness.errors import ErrorKind, UndecodableAudio
from harness.exchanges import Capture, Exchange, Failure, Lane, Observed, Speech
from harness.gateway.copies import Copies, Copy
from harness.gateway.formats import samples_of
from harness.gateway.journey import Journey, LiveCall
from harness.gateway.lanes import wish_for
from harness.gateway.live_admission import LiveAdmission
from harness.gateway.recorder import Recorder
from harness.gateway.slowness import Slowness
from harness.providers.base import References
from harness.rollout.listen import listen, troubles_of
from harness.rollout.outcomes import AudioTrouble, LiveOutcome
from harness.rollout.rules import AudioRules
from harness.rollout.spool import Spool
from harness.routing.breakers import BreakerChange, Breakers
from harness.speech import Operation, billed_chars
from harness.telemetry.answered import AnsweredRequest
from harness.telemetry.metrics import Metrics
from harness.telemetry.request_log import log_request

__all__ = ["Books"]

log = logging.getLogger(__name__)

_OURS: Final = frozenset({ErrorKind.CANCELLED.value, ErrorKind.INTERNAL.value})
_MAX_LISTENING: Final = 64  # answers that wait to be listened to; beyond, an answer goes unheard rather than late


class Books:
    """Use with `async with`: that owns what is done in the background."""

    def __init__(
        self,
        *,
        spool: Spool,
        metrics: Metrics,
        breakers: Breakers,
        rules: AudioRules,
        clock: Clock,
        process: str,
        slowness: Slowness,
        shadow: Copies | None = None,
        recorder: Recorder | None = None,
        references: References | None = None,
    ) -> None:
        """Write into these; `process` tells this worker from the others."""
        self.metrics = metrics
        self._spool = spool
        self._breakers = breakers
        self._rules = rules
        self._clock = clock
        self._process = process
        self._slowness = slowness
        self._shadow = shadow
        self._recorder = recorder
        self._references = references
        self._waiting = 0  # pieces of work that are not done
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what is under way."""
        await self._group.__aexit__(kind, error, trace)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this after the reply; its fault is logged and harms nobody."""
        self._waiting += 1
        self._group.create_task(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("work after a reply failed")
        finally:
            self._waiting -= 1

    def close(self, answered: AnsweredRequest, journey: Journey | None) -> None:
        """Everything about a request whose reply is sent, or never will be; returns at once."""
        if journey is None:
            return
        failed = _has_failed(journey)
        for call in journey.calls:
            self._book(journey, call, caller_failed=failed)
            if self._shadow is not None and call.exchange.outcome == ErrorKind.RATE_LIMITED:
                self._shadow.note_throttled(call.lane)
        self._offer_copy(journey)
        self._offer_capture(journey, answered)

    def count(self, answered: AnsweredRequest) -> None:
        """Metrics and the log line."""
        self.metrics.end(answered)
        log_request(answered)

    def made_voice(self, result: str | Failure | None, admission: LiveAdmission, change: BreakerChange | None) -> None:
        """A voice made at Qwen outside of any caller's call: it costs, and its failures count."""
        kind = result.kind if isinstance(result, Failure) else None
        self._spool.append(
            LiveOutcome(
                at_s=self._clock.now().timestamp(),
                process=self._process,
                operation=Operation.CLONE,
                lane=Lane.CANDIDATE,
                kind=kind,
                microusd=admission.microusd,
                change=change,
            )
        )

    def _book(self, journey: Journey, call: LiveCall, *, caller_failed: bool | None) -> None:
        result, request = call.exchange.result, journey.request
        chars = billed_chars(request.spoken_text)
        kind = result.kind if isinstance(result, Failure) else None
        outcome = LiveOutcome(
            at_s=call.ended_s,
            process=self._process,
            operation=request.operation,
            lane=call.lane,
            kind=kind,
            slow=call.slow,
            microusd=call.microusd,
            chars=chars,
            caller_failed=caller_failed if kind is not ErrorKind.CANCELLED else None,
            change=call.change,
        )
        # Only Qwen is on trial; legacy sounds as it always did.
        if call.lane is Lane.CANDIDATE and isinstance(result, Speech) and self._waiting < _MAX_LISTENING:
            self.later(self._listen(outcome, result, chars))
        else:
            self._spool.append(outcome)

    async def _listen(self, outcome: LiveOutcome, speech: Speech, chars: int) -> None:
        troubles = await asyncio.to_thread(_heard, speech, chars, self._rules)
        self._spool.append(replace(outcome, troubles=troubles))

    def _offer_copy(self, journey: Journey) -> None:
        """Hand over what was made; a probe's permit comes back with the copy's outcome, or at once."""
        route = journey.route
        if route is None:
            return
        exchanges = {call.lane: _heard_by(journey, call) for call in journey.calls if _says_something(call.exchange)}
        to = route.copy_to if self._shadow is not None and route.copy_to in self._shadow else None
        wanted = to is not None or Lane.CANDIDATE in exchanges
        # What failed in every lane is kept as well: without it error rates would read too low.
        if self._shadow is None or not wanted or not exchanges:
            self._copied(journey, None)
            return
        lane = to or Lane.CANDIDATE
        copy = Copy(
            request_id=journey.request_id,
            arrived_at=journey.arrived_at,
            request=wish_for(lane, journey.request),
            caller_key=journey.caller.key,
            consent=journey.consent,
            exchanges=exchanges,
            to=to,
            done=partial(self._copied, journey) if route.copy_permit is not None else None,
        )
        if not self._shadow.offer(copy):
            self._copied(journey, None)

    def _copied(self, journey: Journey, exchange: Exchange | None) -> None:
        """Give a probe's permit back, with what it found out."""
        route = journey.route
        if route is None or route.copy_permit is None or route.copy_to is None:
            return
        breaker = self._breakers.of(route.copy_to, journey.request.operation)
        if exchange is None:
            breaker.release(route.copy_permit)
            return
        kind = exchange.result.kind if isinstance(exchange.result, Failure) else None
        slow = self._slowness.of(exchange, journey.request.operation)
        change = breaker.record(route.copy_permit, kind, slow=slow)
        self._spool.append(
            LiveOutcome(
                at_s=self._clock.now().timestamp(),
                process=self._process,
                operation=journey.request.operation,
                lane=route.copy_to,
                kind=kind,
                slow=slow,
                microusd=exchange.cost.microusd,
                change=change,
            )
        )

    def _offer_capture(self, journey: Journey, answered: AnsweredRequest) -> None:
        if self._recorder is None or not self._recorder.wants(journey.request_id):
            return
        capture = Capture(
            id=journey.request_id,
            captured_at=journey.arrived_at,
            request=journey.request,
            user_key=journey.caller.key,
            session=None,
            segment=None,
            consent=journey.consent,
            observed=_observed(journey, answered),
        )
        self._recorder.offer(capture, self._reader(journey))

    def _reader(self, journey: Journey) -> Callable[[], bytes | None] | None:
        reference, references = journey.request.voice.reference, self._references
        if reference is None or references is None:
            return None

        def read() -> bytes | None:
            path = references.find(reference.sha256)
            return None if path is None else references.get(reference.sha256, path.suffix[1:])

        return read


def _says_something(exchange: Exchange) -> bool:
    """Whether a provider was asked, and had its chance: not where the caller left or the fault is our own."""
    return bool(exchange.attempts) and exchange.outcome not in _OURS


def _has_failed(journey: Journey) -> bool | None:
    """Whether the caller went without; None where that was the caller's own doing."""
    undelivered = journey.undelivered
    has_left = undelivered is not None and undelivered.kind is ErrorKind.CANCELLED
    return None if has_left else not isinstance(journey.result, Speech)


def _heard_by(journey: Journey, call: LiveCall) -> Exchange:
    """The call's exchange, with how long the caller took to hear it; what it took the provider says nothing of that."""
    exchange = call.exchange
    if call is not journey.calls[-1] or "listener_bytes" not in exchange.facts:
        return exchange
    return replace(exchange, facts={**exchange.facts, "listener_waited_s": round(journey.listener_waited_s, 6)})


def _heard(speech: Speech, chars: int, rules: AudioRules) -> tuple[AudioTrouble, ...] | None:
    """What no listener would accept; runs in a thread. None: it could not be listened to."""
    try:
        samples = samples_of(speech)
    except UndecodableAudio:
        return None
    return troubles_of(listen(samples.pcm, rate_hz=samples.rate_hz), chars=chars, rules=rules)


def _observed(journey: Journey, answered: AnsweredRequest) -> Observed | None:
    """What the last provider made of it; a caller who read slowly took none of its time."""
    if not journey.calls:
        return None
    call = journey.calls[-1]
    return Observed(
        provider=call.exchange.provider,
        status=call.exchange.outcome,
        first_byte_s=answered.first_byte_s,
        total_s=answered.total_s - answered.listener_waited_s,
        audio_s=None,
    )
