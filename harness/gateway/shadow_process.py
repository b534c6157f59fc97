"""A shadow in a process of its own: whatever copies do there, callers are answered as if there were none.

Python's threads share one interpreter, so a copy that is carried out in the gateway's own process takes turns with the
callers (about 2 ms of them, `python -m tests.benchmarks.copy_cost`). Here all that is left of it is to hand it over.
The process begins with the first copy. When it dies, its copies are lost and counted; when it falls silent, it is
ended; and the next copy begins another one, after a while.
"""

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from harness.clock import Clock
from harness.config import Settings
from harness.exchanges import Exchange, Lane
from harness.gateway.copies import Copy, ShadowCounts
from harness.gateway.live_runs import recovered
from harness.gateway.shadow_wire import Begin, Offered, Report, Throttled, messages, packed

__all__ = ["ShadowProcess"]

log = logging.getLogger(__name__)

_COMMAND: Final = (sys.executable, "-m", "harness.gateway.shadow_main")
_MAX_BYTES: Final = 64 * 1024 * 1024  # of audio that was taken and is not done
_LATER_S: Final = 0.01  # after which a copy is handed over
_SILENT_S: Final = 60.0  # a process that has not reported for so long hangs
_END_S: Final = 10.0  # it gets to end its work …
_EXIT_S: Final = 5.0  # … and then to exit
_AGAIN_S: Final = 1.0  # before another one begins; twice as long each time in a row …
_AGAIN_MOST_S: Final = 60.0  # … up to this


class ShadowProcess:
    """Looks like a `Shadow`. Open with `async with`: closing it ends the process."""

    def __init__(
        self,
        lanes: Mapping[Lane, str],
        settings: Settings,
        *,
        clock: Clock,
        processes: int = 1,
        command: Sequence[str] = _COMMAND,
        silent_s: float = _SILENT_S,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            lanes: The providers that copies can go to.
            settings: All settings; the process gets the same.
            clock: Times and waits of this side.
            processes: How many gateways share quotas and the day's budget.
            command: What is started; it finds its end of a socket as its standard input.
            silent_s: After so long without a report it is ended.
        """
        self._begin = Begin.of(settings, dict(lanes), processes=processes)
        self._settings = settings
        self._clock = clock
        self._processes = processes
        self._command = tuple(command)
        self._silent_s = silent_s
        self.pid: int | None = None  # of the process there is
        self._most = settings.gateway.shadow.queue + settings.gateway.shadow.concurrency
        self._under_way: dict[int, Copy] = {}  # taken, and no word yet of what became of it
        self._bytes = 0  # of audio in them
        self._numbers = 0
        self._outbox: deque[int] = deque()  # those that are not handed over yet
        self._handing_over: asyncio.TimerHandle | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._wanted = asyncio.Event()  # a process
        self._gone = asyncio.Event()  # the process there was
        self._is_open = self._is_resting = False
        self._own = ShadowCounts()  # of this side, and of processes that have ended
        self._told = ShadowCounts()  # by the process there is
        self._spent_microusd = 0
        self._again_s = _AGAIN_S
        self._stack = contextlib.AsyncExitStack()

    @property
    def counts(self) -> ShadowCounts:
        """What became of all copies so far."""
        return self._own.plus(self._told)

    @property
    def waiting(self) -> int:
        """Copies that nobody works on yet."""
        return max(0, len(self._under_way) - self._settings.gateway.shadow.concurrency)

    @property
    def spent_microusd(self) -> int:
        """What copies of this gateway process cost today."""
        return self._spent_microusd

    def __contains__(self, lane: Lane | None) -> bool:
        """Whether copies can go to this lane."""
        return lane in self._begin.lanes

    async def __aenter__(self) -> Self:
        keep_days = self._settings.gateway.shadow.keep_days
        spent = await asyncio.to_thread(recovered, self._settings.home, keep_days=keep_days, clock=self._clock)
        self._spent_microusd = spent // self._processes
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._stack.push_async_callback(self._end, group.create_task(self._keep_up()))
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await self._stack.aclose()
        self._own.dropped += self._give_up()

    def offer(self, copy: Copy) -> bool:
        """Take a copy if there is room, and say whether it was; never waits and never raises."""
        self._own.offered += 1
        size = copy.size_bytes
        has_room = len(self._under_way) < self._most and self._bytes + size <= _MAX_BYTES
        taken = self._is_open and not self._is_resting and has_room
        if taken:
            self._under_way[self._numbers] = copy
            self._bytes += size
            self._outbox.append(self._numbers)
            self._numbers += 1
            self._wanted.set()
            self._hand_over_soon()
        self._own.dropped += not taken
        return taken

    def note_throttled(self, lane: Lane) -> None:
        """Slow down: a caller's own call to this lane was answered 429, and callers come first."""
        if self._writer is not None and lane in self:  # a process that is not there sends nothing
            self._writer.writelines(packed(Throttled(lane=lane)))

    def _hand_over_soon(self) -> None:
        """Not now: the reply to the caller may still be on its way out of this turn of the loop, or to its reader."""
        if self._handing_over is None and self._writer is not None and self._outbox:
            loop = asyncio.get_running_loop()
            self._handing_over = loop.call_later(_LATER_S, self._hand_over, self._writer)

    def _hand_over(self, writer: asyncio.StreamWriter) -> None:
        """The first of those that wait; each in a turn of its own, so that callers come in between."""
        self._handing_over = None
        number = self._outbox.popleft()
        copy = self._under_way[number]
        try:
            parts = packed(Offered(number=number, copy=copy, wants_outcome=copy.done is not None))
        except ValueError as error:  # a text that UTF-8 has no bytes for, say
            log.error("copy not handed over", extra={"error": type(error).__name__})
            self._own.dropped += 1
            self._end_of(number, None)
        else:
            writer.writelines(parts)  # into memory, where the other side does not read
        self._hand_over_soon()

    def _stop_handing_over(self) -> None:
        if self._handing_over is not None:
            self._handing_over.cancel()
            self._handing_over = None

    async def _keep_up(self) -> None:
        """One process after the other, each begun when there is something to do."""
        while True:
            await self._wanted.wait()
            try:
                await self._one_life()
            except Exception:  # whatever it was, the gateway goes on and another one is tried
                log.exception("shadow process failed")
            if not self._is_open:
                return
            self._own.lost += self._give_up()
            self._own, self._told = self.counts, ShadowCounts()
            self._is_resting = True
            await self._clock.sleep(self._again_s)
            self._again_s = min(2 * self._again_s, _AGAIN_MOST_S)
            self._is_resting = False
            self._wanted.clear()

    async def _one_life(self) -> None:
        """From the start of a process to its end, which it finds by itself or is made to."""
        self._gone.clear()
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            try:
                process = _started(self._command, theirs)
            except OSError:
                writer.close()
                raise
        patience_s = 0.0
        try:
            writer.writelines(packed(self._begin))
            self._writer, self.pid = writer, process.pid
            self._hand_over_soon()
            await self._listen(reader)
            patience_s = _EXIT_S
        except TimeoutError:
            log.error("shadow process hangs", extra={"silent_s": self._silent_s})
        finally:
            self._writer = self.pid = None
            self._stop_handing_over()
            writer.transport.abort()  # whatever was not read yet
            status = await asyncio.to_thread(_ended, process, patience_s)
            self._gone.set()
            if self._is_open:
                log.error("shadow process ended", extra={"status": status, "copies_lost": len(self._under_way)})

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Take reports until there are none any more; TimeoutError when none comes although the other side is open."""
        async with contextlib.aclosing(messages(reader)) as told:
            while True:
                async with asyncio.timeout(self._silent_s):
                    report = await anext(told, None)
                if not isinstance(report, Report):
                    return
                self._take(report)

    def _take(self, report: Report) -> None:
        self._told = replace(report.counts, offered=0)  # it was offered to this side, and counted
        self._spent_microusd = report.spent_microusd
        for number, exchange in report.ended.items():
            self._end_of(number, exchange)
            self._again_s = _AGAIN_S  # it works

    def _end_of(self, number: int, exchange: Exchange | None) -> None:
        copy = self._under_way.pop(number)
        self._bytes -= copy.size_bytes
        copy.tell(exchange)

    def _give_up(self) -> int:
        """Tell those who wait for a copy's outcome that there is none, and return how many copies that were."""
        self._outbox.clear()
        given_up = list(self._under_way)
        for number in given_up:
            self._end_of(number, None)
        return len(given_up)

    async def _end(self, keeping_up: "asyncio.Task[None]") -> None:
        """Let the process write down what is under way."""
        self._stop_handing_over()
        if self._writer is not None:
            self._writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await self._gone.wait()
        keeping_up.cancel()


def _started(command: Sequence[str], end: socket.socket) -> "subprocess.Popen[bytes]":
    """The process, which a Ctrl-C does not reach: it ends with us."""
    return subprocess.Popen(command, stdin=end.fileno(), stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603


def _ended(process: "subprocess.Popen[bytes]", patience_s: float) -> int:
    """The exit status of a process that has no work any more; waits for it, and kills it if that takes too long."""
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
