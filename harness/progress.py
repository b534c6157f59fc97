"""How far long work has come: a bar on a terminal, elsewhere one line every few seconds. Always on stderr."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from harness.clock import Clock, SystemClock

__all__ = ["ProgressReport"]

LINE_EVERY_S: Final = 5.0


class ProgressReport:
    """Reports one count that grows to a known total, with a word on what matters meanwhile."""

    def __init__(
        self, title: str, total: int, *, stream: TextIO | None = None, clock: Clock | None = None, done: int = 0
    ) -> None:
        """Begin at `done` of `total`; a bar when `stream` (default stderr) is a terminal."""
        self.title = title
        self.total = total
        self._stream = stream or sys.stderr
        self._clock = clock or SystemClock()
        self._done = self._began_with = done
        self._printed = -1  # how many were done when a line was printed last
        self._note: str | Callable[[], str] = ""
        self._started_s = self._last_line_s = self._clock.monotonic()
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if self._stream.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=Console(file=self._stream),
            )
            self._task = self._bar.add_task(title, total=total, completed=done, note="")

    def advance(self, count: int = 1, *, note: str | Callable[[], str] = "") -> None:
        """Count `count` more as done; none when only time has passed. A `note` to be called is, when it is shown."""
        self._done += count
        self._note = note
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, note=self._noted())
        elif self._clock.monotonic() - self._last_line_s >= LINE_EVERY_S:
            self._print_line()

    def _print_line(self) -> None:
        self._last_line_s = self._clock.monotonic()
        self._printed = self._done
        elapsed_s = self._last_line_s - self._started_s
        rate_hz = (self._done - self._began_with) / elapsed_s if elapsed_s > 0 else 0.0
        left = f", about {(self.total - self._done) / rate_hz:.0f} s left" if rate_hz > 0 else ""
        noted = self._noted()
        note = f", {noted}" if noted else ""
        print(f"{self.title}: {self._done} of {self.total}, {rate_hz:.1f}/s{note}{left}", file=self._stream, flush=True)

    def _noted(self) -> str:
        return self._note if isinstance(self._note, str) else self._note()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self.total and self._printed != self._done:
            self._print_line()
