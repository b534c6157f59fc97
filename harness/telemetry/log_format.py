"""Log lines as one JSON object each: a fixed phrase, then the fields that went along with it.

Lines are written by a thread behind a bounded queue, so that whoever reads our output cannot hold up a caller; what
does not fit is counted, and the count is told with the next line.
"""

import contextlib
import json
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, TextIO

__all__ = ["BoundedHandler", "JsonFormatter", "dropped_lines", "logging_to"]

_MAX_WAITING: Final = 10_000
_DRAIN_S: Final = 3.0
# What every record has; all else came in by `extra`.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Time, level, logger and phrase, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line without its end."""
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info and record.exc_info[1] is not None:
            # The message of an exception may hold what a caller sent; where it happened is what helps.
            fields["exception"] = type(record.exc_info[1]).__name__
            fields["where"] = _where(record)
        return json.dumps(fields, default=str, separators=(",", ":"))


def _where(record: logging.LogRecord) -> list[str]:
    """The last frames, innermost last, as file:line."""
    trace = record.exc_info[2] if record.exc_info else None
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames[-5:]


class BoundedHandler(logging.handlers.QueueHandler):
    """Hands records to a thread; drops and counts what finds no room."""

    def __init__(self, waiting: "queue.Queue[logging.LogRecord | None]") -> None:
        super().__init__(waiting)
        self.dropped = 0
        self._told = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record as it is: the thread is of this process, so its fields need no flattening."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits."""
        if self.dropped > self._told:
            record.dropped_lines = self.dropped
        try:
            self.queue.put_nowait(record)
            self._told = self.dropped
        except queue.Full:
            self.dropped += 1


class _Listener(logging.handlers.QueueListener):
    """Ends within seconds even when its queue is full and nobody reads what it writes."""

    def __init__(self, waiting: "queue.Queue[logging.LogRecord | None]", sink: logging.Handler) -> None:
        super().__init__(waiting, sink)
        self._waiting = waiting

    def stop(self) -> None:
        """Write what waits, as far as the time allows."""
        thread, self._thread = self._thread, None
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=_DRAIN_S)  # the listener's own sign to end
            if thread is not None:
                thread.join(_DRAIN_S)


@contextlib.contextmanager
def logging_to(
    stream: TextIO, *, level: int = logging.INFO, max_waiting: int = _MAX_WAITING
) -> Iterator[BoundedHandler]:
    """Write all log lines to `stream` as JSON until the end of the block; then as before."""
    waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(max_waiting)
    handler, sink, root = BoundedHandler(waiting), logging.StreamHandler(stream), logging.getLogger()
    sink.setFormatter(JsonFormatter())
    listener = _Listener(waiting, sink)
    before, level_before = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(level)
    listener.start()
    try:
        yield handler
    finally:
        listener.stop()
        root.handlers[:] = before
        root.setLevel(level_before)


def dropped_lines() -> int:
    """How many lines the handlers in force had no room for."""
    return sum(each.dropped for each in logging.getLogger().handlers if isinstance(each, BoundedHandler))
