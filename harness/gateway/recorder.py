"""Keeps a sample of real requests as captures, from a thread of its own: a caller never waits for a disk.

What may be kept, and how it is written, is decided by harness/capturing. Here a queue stands between: when the disk is
slow or full, captures are lost and counted, and requests go on as before.
"""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from harness.capturing.reasons import LeftOut
from harness.errors import HarnessError
from harness.exchanges import Capture

__all__ = ["Recorder", "RecorderCounts", "Writer"]

log = logging.getLogger(__name__)

_MAX_WAITING: Final = 500
_MAX_BYTES: Final = 32 * 1024 * 1024  # of recordings that wait
_DRAIN_S: Final = 5.0
_MIN_BYTES: Final = 1_024  # what a capture without a recording takes, about


class Writer(Protocol):
    """Writes a capture down; `harness.capturing.recorder.CaptureRecorder` is one."""

    def wants(self, capture_id: str) -> bool:
        """Whether this request is in the sample."""
        ...

    def record(self, capture: Capture, reference: bytes | None = None) -> LeftOut | None:
        """Write it down, sanitised; or say why not. May wait for the disk, and raise HarnessError for it."""
        ...


@dataclass(slots=True)
class RecorderCounts:
    """What became of the requests in the sample: sampled = kept + left_out + lost + those that wait."""

    sampled: int = 0
    kept: int = 0
    left_out: int = 0  # may not be kept
    lost: int = 0  # no room in the queue, or on the disk


# What waits: a capture, and a way to the recording of its voice, which is read by the thread.
_Item = tuple[Capture, Callable[[], bytes | None], int]


class Recorder:
    """Open with `with`: that owns the thread."""

    def __init__(self, writer: Writer, *, max_waiting: int = _MAX_WAITING) -> None:
        self.counts = RecorderCounts()
        self._writer = writer
        self._queue: queue.Queue[_Item | None] = queue.Queue(max_waiting)
        self._bytes = 0
        self._lock = threading.Lock()
        # A daemon: a disk that hangs for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._open = False

    def __enter__(self) -> Self:
        self._open = True
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, for some seconds at most; the rest is lost."""
        self._open = False
        try:
            self._queue.put(None, timeout=_DRAIN_S)
        except queue.Full:
            log.error("captures lost, the disk does not answer", extra={"waiting": self._queue.qsize()})
            return
        self._thread.join(_DRAIN_S)

    @property
    def waiting(self) -> int:
        """Captures that are not written yet."""
        return self._queue.qsize()

    def wants(self, capture_id: str) -> bool:
        """Whether a request of this id is in the sample."""
        return self._open and self._writer.wants(capture_id)

    def offer(self, capture: Capture, reference: bytes | Callable[[], bytes | None] | None = None) -> None:
        """Keep this request if it is in the sample; never waits and never raises.

        Args:
            capture: As it came in, its id one that no other has.
            reference: The recording that its voice was made from, or how to read it, from another thread.
        """
        if not self.wants(capture.id):
            return
        size = _MIN_BYTES + (len(reference) if isinstance(reference, bytes) else 0)
        with self._lock:
            self.counts.sampled += 1
            if self._bytes + size > _MAX_BYTES:
                self.counts.lost += 1
                return
            try:
                self._queue.put_nowait((capture, reference if callable(reference) else lambda: reference, size))
            except queue.Full:
                self.counts.lost += 1
                return
            self._bytes += size

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            capture, read, size = item
            outcome = self._write(capture, read)
            with self._lock:
                self._bytes -= size
                setattr(self.counts, outcome, getattr(self.counts, outcome) + 1)

    def _write(self, capture: Capture, read: Callable[[], bytes | None]) -> str:
        """The name of what became of it."""
        try:
            left_out = self._writer.record(capture, read())
        except HarnessError as error:
            log.warning("capture lost", extra={"error": str(error)})
            return "lost"
        except Exception:  # whatever one request does, the next one is kept
            log.exception("capture lost", extra={"capture": capture.id})
            return "lost"
        if left_out is not None:
            log.info("request not kept", extra={"capture": capture.id, "reason": left_out.reason})
        return "kept" if left_out is None else "left_out"
