"""A way to stop all sending of a replay: a file, a variable, a signal, or the run itself when going on is hopeless.

File and variable are read where the live path reads them (harness/flags/kill_switch.py): one `stat`, about three
microseconds, so it can be asked before every paid call. Whoever waits for room in a quota meanwhile is let go at once.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from harness.config import Settings
from harness.errors import NotAdmitted
from harness.flags.kill_switch import KILL_VARIABLE
from harness.flags.kill_switch import KillSwitch as Outside

__all__ = ["KillSwitch", "heeding_signals"]


class KillSwitch:
    """Pulled while the file exists or the setting is on, and for good once `pull` was called."""

    def __init__(self, settings: Settings) -> None:
        self.path: Path = settings.home / "KILL"
        self._outside = Outside(self.path, environ={KILL_VARIABLE: "1"} if settings.kill else {})
        self._pulled: str | None = None
        self._waiting: set[asyncio.Timeout] = set()

    def reason(self) -> str | None:
        """Why nothing new may be begun; None while it may."""
        return self._pulled or self.emergency()

    def emergency(self) -> str | None:
        """Why not even what was begun may be tried again: the file or the variable says so; None while it may."""
        outside = self._outside.reason()
        if outside == KILL_VARIABLE:
            return f"{KILL_VARIABLE} is set; unset it to go on"
        return f"{outside} exists; remove it to go on" if outside == str(self.path) else outside

    def pull(self, reason: str) -> None:
        """Let nothing new begin, and nobody wait for it; what was begun may go on to its end."""
        self._pulled = self._pulled or reason
        for waiting in self._waiting:
            waiting.reschedule(0.0)

    @asynccontextmanager
    async def abandoning(self) -> AsyncIterator[None]:
        """Wait inside for as long as it takes, but no longer than until the switch is pulled.

        Raises:
            NotAdmitted: It was pulled, before or meanwhile.
        """
        self.refuse_when_pulled()
        try:
            async with asyncio.timeout(None) as waiting:
                self._waiting.add(waiting)
                try:
                    yield
                finally:
                    self._waiting.discard(waiting)
        except TimeoutError:
            self.refuse_when_pulled()
            raise
        self.refuse_when_pulled()

    def refuse_when_pulled(self) -> None:
        """Return while something may be begun.

        Raises:
            NotAdmitted: The switch was pulled.
        """
        pulled = self.reason()
        if pulled:
            raise NotAdmitted(pulled)


@contextmanager
def heeding_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGINT or SIGTERM calls `stop`; a second one cancels the task that entered here."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked and task is not None:
            task.cancel()
        asked = True
        stop()

    with contextlib.ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
            stack.callback(loop.remove_signal_handler, number)
        yield
