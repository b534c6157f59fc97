"""The process that carries a gateway's copies out. The gateway starts it and speaks to it over its standard input.

It ends when the gateway closes that, or is gone. A signal meant for the whole group is the gateway's to act upon.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Final

import uvloop

from harness.clock import Clock, SystemClock
from harness.config import Settings
from harness.errors import HarnessError
from harness.exchanges import Exchange
from harness.gateway.shadow import Shadow
from harness.gateway.shadow_opening import shadow_of
from harness.gateway.shadow_wire import Begin, Message, Offered, Report, Throttled, messages, packed
from harness.processes import keeping_what_is_loaded
from harness.telemetry.log_format import logging_to

__all__ = ["OpenShadow", "carry_out_copies", "main"]

log = logging.getLogger(__name__)

_ALIVE_EVERY_S: Final = 5.0
_TOGETHER_S: Final = 0.25  # copies that end within this time are told of together
_READ_AHEAD_BYTES: Final = 4 * 1024 * 1024
_NICENESS: Final = 10
_LOOK_EVERY_S: Final = 1.0  # whether the gateway is still there
_GRACE_S: Final = 10.0  # to end well once it is gone

OpenShadow = Callable[[Begin, Clock], Shadow]


def _as_set(begin: Begin, clock: Clock) -> Shadow:
    settings = Settings.model_validate(begin.settings)
    return shadow_of(settings, begin.lanes, clock=clock, processes=begin.processes)


async def carry_out_copies(
    end: socket.socket, open_shadow: OpenShadow, clock: Clock, *, begun: Callable[[], None]
) -> None:
    """Carry out what comes in at `end`, until the other side closes it.

    Args:
        end: Our end of the socket.
        open_shadow: Makes the shadow, once the settings are there.
        clock: Times and waits.
        begun: Called when it is open, before the first copy.

    Raises:
        ConfigError: The settings that come first cannot be used.
    """
    reader, writer = await asyncio.open_unix_connection(sock=end, limit=_READ_AHEAD_BYTES)
    try:
        async with contextlib.aclosing(messages(reader)) as told:
            begin = await anext(told, None)
            if isinstance(begin, Begin):
                async with open_shadow(begin, clock) as shadow:
                    begun()
                    reports = _Reports(shadow, writer, clock)
                    await _serve(shadow, told, reports)
                reports.send()  # closing the shadow dropped what still waited
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):  # the other side may be gone
            await writer.wait_closed()


async def _serve(shadow: Shadow, told: AsyncIterator[Message], reports: "_Reports") -> None:
    async with reports.renewed():
        async for message in told:
            if isinstance(message, Throttled):
                shadow.note_throttled(message.lane)
            elif isinstance(message, Offered):
                copy = replace(message.copy, done=partial(reports.add, message))
                if not shadow.offer(copy):
                    copy.tell(None)


class _Reports:
    """Tells the gateway how copies end: some at a time, since each report is read between two callers."""

    def __init__(self, shadow: Shadow, writer: asyncio.StreamWriter, clock: Clock) -> None:
        self._shadow = shadow
        self._writer = writer
        self._clock = clock
        self._ended: dict[int, Exchange | None] = {}
        self._sent_s = -float("inf")

    def add(self, offered: Offered, exchange: Exchange | None) -> None:
        """A copy is over; who waits for its outcome gets that at once."""
        self._ended[offered.number] = exchange if offered.wants_outcome else None
        if offered.wants_outcome:
            self.send()

    def send(self) -> None:
        """Say how things stand."""
        shadow, self._sent_s = self._shadow, self._clock.monotonic()
        ended, self._ended = self._ended, {}
        counts, waiting, spent = shadow.counts, shadow.waiting, shadow.spent_microusd
        report = Report(counts=counts, waiting=waiting, spent_microusd=spent, ended=ended)
        self._writer.writelines(packed(report))

    @contextlib.asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Send what there is, and else now and then a sign that we are alive."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew())
            try:
                yield
            finally:
                renewing.cancel()

    async def _renew(self) -> None:
        while True:
            if self._ended or self._clock.monotonic() - self._sent_s >= _ALIVE_EVERY_S:
                self.send()
            await self._clock.sleep(_TOGETHER_S)


def _end_with(parent: int) -> None:
    """End at the latest some time after the gateway has, whatever hangs here."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    time.sleep(_GRACE_S)
    os._exit(1)


def _give_way() -> None:
    """From now on take a processor only when nobody else wants it.

    A low priority alone would not do: Linux lets whoever has a processor keep it for some milliseconds.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main(open_shadow: OpenShadow = _as_set) -> None:
    """Until the gateway closes our standard input."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)  # to begin with: it must get there on a busy machine as well
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    end = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with keeping_what_is_loaded(), logging_to(sys.stderr), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(carry_out_copies(end, open_shadow, SystemClock(), begun=_give_way))
        except HarnessError as error:
            log.error("copies cannot be carried out", extra={"error": str(error)})
            sys.exit(error.exit_status)
        except Exception:  # what it was is logged without the words of any caller
            log.exception("copies cannot be carried out")
            sys.exit(1)


if __name__ == "__main__":
    main()
