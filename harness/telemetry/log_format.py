"""Log lines as one JSON object each: a fixed phrase, then the fields that went along with it.

A thread writes them, all that came within a moment at once, so that whoever reads our output cannot hold up a caller.
What finds no room meanwhile is counted, and the count is told with the next line.
"""

import contextlib
import json
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, TextIO

__all__ = ["BoundedHandler", "JsonFormatter", "dropped_lines", "logging_to"]

_MAX_WAITING: Final = 10_000
# A thread that is woken for each line takes the interpreter from the requests each time: at 100 of them a second that
# cost each one 0.4 ms (`python -m tests.benchmarks.gateway`).
_TOGETHER_S: Final = 0.05
_DRAIN_S: Final = 3.0
# What every record has; all else came in by `extra`.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


_ENCODER: Final = json.JSONEncoder(default=str, separators=(",", ":"))
_MAX_CHARS: Final = 32_768  # of a line: what a record is fed must not fill a disk or what collects them
_MAX_EVENT_CHARS: Final = 1_000  # of the phrase, where the rest had to go


class JsonFormatter(logging.Formatter):
    """Time, level, logger and phrase, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line without its end."""
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _OWN and name not in fields}
        if record.exc_info and record.exc_info[1] is not None:
            # The message of an exception may hold what a caller sent; where it happened is what helps.
            fields["exception"] = type(record.exc_info[1]).__name__
            fields["where"] = _where(record)
        try:
            line = _ENCODER.encode(fields)
        except Exception as error:  # noqa: BLE001 - a field may fail in its own way to say what it is; a caller must not
            return _ENCODER.encode({**_shortened(fields), "unwritable": type(error).__name__})
        if len(line) > _MAX_CHARS:
            return _ENCODER.encode({**_shortened(fields), "left_out_chars": len(line)})
        return line


def _shortened(fields: Mapping[str, object]) -> dict[str, str]:
    """What every line has."""
    return {name: str(fields[name])[:_MAX_EVENT_CHARS] for name in ("at", "level", "logger", "event")}


def _where(record: logging.LogRecord) -> list[str]:
    """The last frames, innermost last, as file:line."""
    trace = record.exc_info[2] if record.exc_info else None
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames[-5:]


class BoundedHandler(logging.Handler):
    """Makes lines at once and keeps them for a thread; drops and counts what finds no room."""

    def __init__(self, max_waiting: int) -> None:
        super().__init__()
        self.dropped = 0
        self.news = threading.Event()  # set while lines wait
        self._told = 0
        self._max_waiting = max_waiting
        self._lines: deque[str] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits."""
        if len(self._lines) >= self._max_waiting:
            self.dropped += 1
            return
        if self.dropped > self._told:
            record.dropped_lines = self._told = self.dropped
        self._lines.append(self.format(record))
        if not self.news.is_set():
            self.news.set()

    def take(self) -> list[str]:
        """All lines that wait, oldest first."""
        self.news.clear()
        return [self._lines.popleft() for _ in range(len(self._lines))]


class _Writer(threading.Thread):
    """Ends within seconds even when nobody reads what it writes."""

    def __init__(self, handler: BoundedHandler, stream: TextIO) -> None:
        super().__init__(name="log", daemon=True)
        self._handler = handler
        self._stream = stream
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            self._handler.news.wait()
            self._over.wait(_TOGETHER_S)
            self._write()
        self._write()

    def _write(self) -> None:
        lines = self._handler.take()
        try:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
        except (OSError, ValueError):  # nobody is there to be told
            self._handler.dropped += len(lines)

    def stop(self) -> None:
        """Write what waits, as far as the time allows."""
        self._over.set()
        self._handler.news.set()
        self.join(_DRAIN_S)


@contextlib.contextmanager
def logging_to(
    stream: TextIO, *, level: int = logging.INFO, max_waiting: int = _MAX_WAITING
) -> Iterator[BoundedHandler]:
    """Write all log lines to `stream` as JSON until the end of the block; then as before."""
    handler, root = BoundedHandler(max_waiting), logging.getLogger()
    handler.setFormatter(JsonFormatter())
    writer = _Writer(handler, stream)
    before, level_before = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(level)
    writer.start()
    try:
        yield handler
    finally:
        writer.stop()
        root.handlers[:] = before
        root.setLevel(level_before)


def dropped_lines() -> int:
    """How many lines the handlers in force had no room for."""
    return sum(each.dropped for each in logging.getLogger().handlers if isinstance(each, BoundedHandler))
