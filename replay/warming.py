"""Warm-up: a few captures sent to both providers before anything is timed, paid like all others and never judged.

What came of them stays in the journal as `warm_up` records; they are no legs, so no table and no pair holds them. Cold
starts later on are tagged by the providers and kept (`exchanges.cold`).
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from harness.clock import Clock
from harness.exchanges import Capture, Exchange, Failure, Lane
from harness.providers.base import Deadline
from harness.speech import Operation
from harness.store.logbook import Logbook
from replay.admission import Admissions
from replay.routes import Route
from replay.voicing import hopeless

__all__ = ["WARMED", "WarmUp", "warm_up_captures"]

WARMED = (Lane.CONTROL, Lane.CANDIDATE)  # the repeat goes to control's provider


def warm_up_captures(captures: Iterable[Capture], count: int) -> list[Capture]:
    """The first `count` that speak: making a voice costs more than it warms."""
    speaking = (capture for capture in captures if capture.request.operation is Operation.GENERATE)
    return list(islice(speaking, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Sends the captures of a warm-up and keeps the journal of it."""

    book: Logbook
    admissions: Admissions
    routes: Mapping[Lane, Route]
    clock: Clock

    async def run(self, captures: Iterable[Capture], *, at_once: int) -> str | None:
        """Send each capture down both lanes.

        Returns:
            Why sending anything more is hopeless; None when it is not.
        """
        todo = iter([(lane, capture) for capture in captures for lane in WARMED])
        reasons: list[str] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(self._work(todo, reasons))
        return next(iter(reasons), None)

    async def _work(self, todo: Iterator[tuple[Lane, Capture]], reasons: list[str]) -> None:
        while not reasons and not self.admissions.switch.reason() and (order := next(todo, None)) is not None:
            lane, capture = order
            exchange = await self._send(lane, capture)
            if isinstance(exchange.result, Failure) and (reason := hopeless(exchange.provider, exchange.result)):
                reasons.append(reason)

    async def _send(self, lane: Lane, capture: Capture) -> Exchange:
        route = self.routes[lane]
        # Warmed up anew after a kill: the time makes the calls differ from those of before.
        admission = self.admissions.to(f"warm-up:{capture.id}/{lane}/{self.clock.now():%Y%m%dT%H%M%S%f}", route.quota)
        try:
            deadline = Deadline(self.clock, route.deadline_s)
            exchange = await route.provider.synthesize(capture.request, admission=admission, deadline=deadline)
        finally:
            admission.close()
        self.book.write(
            {
                "type": "warm_up",
                "capture_id": capture.id,
                "lane": lane,
                "outcome": exchange.outcome,
                "service_s": exchange.timing.service_s,
                "cold": exchange.cold,
                "at": self.clock.now().isoformat(),
            }
        )
        return exchange
