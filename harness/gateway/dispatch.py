"""Gets a caller's request answered: the route's lane first, and legacy at once when Qwen fails before its first byte.

One attempt in each lane, so a request pays at most twice, and all audio of an answer comes from one voice.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Exchange, Failure, Lane, Speech
from harness.gateway.journey import Journey, LiveCall
from harness.gateway.lanes import Lanes
from harness.gateway.listener import Listener
from harness.gateway.live_admission import LiveAdmission
from harness.gateway.slowness import Slowness
from harness.providers.base import AudioSink, Deadline
from harness.routing.breaker import Permit
from harness.routing.bucket import unit_of
from harness.routing.route import Route
from harness.routing.router import Router

__all__ = ["Dispatcher"]

log = logging.getLogger(__name__)

_OURS: Final = frozenset({ErrorKind.CANCELLED, ErrorKind.INTERNAL})  # say nothing about a provider
_NOT_SET_UP: Final = "not_set_up"  # why legacy answers where Qwen has no key


class Dispatcher:
    """One for each process."""

    def __init__(
        self,
        router: Router,
        lanes: Lanes,
        *,
        kill_reason: Callable[[], str | None],
        clock: Clock,
        first_byte_s: float,
        deadline_s: float,
        slowness: Slowness,
    ) -> None:
        """Answer with these.

        Args:
            router: Says who answers and who stands in.
            lanes: The providers.
            kill_reason: What cut Qwen off; asked again right before each call to it.
            clock: The time.
            first_byte_s: How long a lane that somebody can stand in for has until its first byte. Where the provider
                delivers a file instead of a stream, that is until the whole of it is here.
            deadline_s: For the whole request, fallback included.
            slowness: Says which calls took too long.
        """
        self._router = router
        self._lanes = lanes
        self._kill_reason = kill_reason
        self._clock = clock
        self._first_byte_s = first_byte_s
        self._deadline_s = deadline_s
        self._slowness = slowness

    async def answer(self, journey: Journey, *, sink: AudioSink | None = None) -> Speech | Failure | None:
        """The speech, or the failure of the last lane that was asked; None when nobody is up, or none is set up.

        Args:
            journey: The request; route and calls are written into it, of a cancelled request too.
            sink: Gets the audio while it is made, where the provider streams. However slowly it takes it, no
                provider waits for it, and no time of a call holds its own.
        """
        request = journey.request
        unit = unit_of(request.voice, journey.caller.key)
        route = journey.route = self._router.route(request.operation, unit=unit, request_id=journey.request_id)
        if route.permit is None:
            return None
        deadline = Deadline(self._clock, self._deadline_s)
        async with Listener(sink, clock=self._clock) as listener:
            result = await self._first_or_second(journey, route, route.permit, deadline, listener)
            try:
                journey.undelivered = await listener.hear_out(deadline)
            finally:
                journey.listener_waited_s = listener.waited_s
        return journey.result if isinstance(result, Speech) else result

    async def _first_or_second(
        self, journey: Journey, route: Route, permit: Permit, deadline: Deadline, listener: Listener
    ) -> Speech | Failure | None:
        """What the route's lane made of it, or else legacy in its place."""
        fallback = route.fallback if route.fallback in self._lanes else None
        limit_s = self._first_byte_s if fallback is not None else None
        first = await self._call(journey, route.lane, permit, deadline, listener, limit_s)
        if isinstance(first, Speech) or fallback is None or listener.began:
            return first
        second = self._router.breakers.of(fallback, journey.request.operation).ask_permit()
        if second is None:
            return first
        journey.fallback = _NOT_SET_UP if first is None else first.kind.value
        return await self._call(journey, fallback, second, deadline, listener, None)

    async def _call(
        self,
        journey: Journey,
        lane: Lane,
        permit: Permit,
        deadline: Deadline,
        listener: Listener,
        limit_s: float | None,
    ) -> Speech | Failure | None:
        """What the lane made of it; None when nobody is set up there, as when a flag names Qwen and there is no key."""
        if lane not in self._lanes:
            self._router.breakers.of(lane, journey.request.operation).release(permit)
            return None
        admission = LiveAdmission(lane, kill_reason=self._kill_reason)
        began_s = self._clock.monotonic()
        journey.lane = lane
        try:
            exchange = await self._ask(journey, lane, permit, deadline, listener, limit_s, admission)
        except BaseException as error:
            # The caller has left, or the fault is our own; either way the permit goes back.
            ours = isinstance(error, Exception)
            kind = ErrorKind.INTERNAL if ours else ErrorKind.CANCELLED
            failure = Failure(kind=kind, code=None, detail="our own fault" if ours else "the caller left")
            self._note(journey, lane, permit, admission, self._stopped(journey, lane, failure, admission, began_s))
            if not ours:
                raise
            log.exception("call failed by our own fault", extra={"request_id": journey.request_id, "lane": lane})
            return failure
        if exchange is None:
            detail = f"no audio in {limit_s:g} s"
            failure = Failure(kind=ErrorKind.TIMEOUT_READ, code="local.first_byte", detail=detail)
            exchange = self._stopped(journey, lane, failure, admission, began_s)
        self._note(journey, lane, permit, admission, exchange)
        return exchange.result

    async def _ask(
        self,
        journey: Journey,
        lane: Lane,
        permit: Permit,
        deadline: Deadline,
        listener: Listener,
        limit_s: float | None,
        admission: LiveAdmission,
    ) -> Exchange | None:
        """The exchange; None when its first byte did not come in time, and then it was cancelled."""
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                listener.limit = limit
                sink = listener if listener.is_wanted else None
                return await self._lanes.ask(
                    lane, journey, permit=permit, admission=admission, deadline=deadline, sink=sink
                )
        except TimeoutError:
            if not limit.expired():
                raise
            return None

    def _stopped(
        self, journey: Journey, lane: Lane, failure: Failure, admission: LiveAdmission, began_s: float
    ) -> Exchange:
        took_s = self._clock.monotonic() - began_s
        return self._lanes.unsent(lane, journey, failure, service_s=took_s, microusd=admission.microusd)

    def _note(self, journey: Journey, lane: Lane, permit: Permit, admission: LiveAdmission, exchange: Exchange) -> None:
        """Hand the permit back and write the call down."""
        breaker = self._router.breakers.of(lane, journey.request.operation)
        kind = exchange.result.kind if isinstance(exchange.result, Failure) else None
        change, slow = None, None
        if kind in _OURS or (not admission.calls and exchange.attempts == 0):
            breaker.release(permit)
        else:
            slow = self._slowness.of(exchange, journey.request.operation)
            change = breaker.record(permit, kind, slow=slow)
        ended_s = self._clock.now().timestamp()
        journey.calls.append(
            LiveCall(
                lane=lane, exchange=exchange, microusd=admission.microusd, change=change, ended_s=ended_s, slow=slow
            )
        )
