"""The way of streamed audio to a caller who may read slowly: taken from the provider as it comes, and sent from here.

So a provider's times end with its own last byte, and its connection is free then. What waits is no more than the
exchange holds anyway.
"""

import asyncio
import logging
from types import TracebackType
from typing import Self

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.base import AudioSink, Deadline

__all__ = ["Listener"]

log = logging.getLogger(__name__)


class Listener:
    """An `AudioSink` before the caller's own, never in a provider's way. Use with `async with`."""

    def __init__(self, sink: AudioSink | None, *, clock: Clock) -> None:
        """Listen for `sink`; None: nobody wants to hear anything before all of it is there."""
        self.limit: asyncio.Timeout | None = None  # lifted with the first audio
        self.waited_s = 0.0  # for the caller to take what was still here once the provider was done
        self._sink = sink
        self._clock = clock
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: that was all; bounded by the door's limit
        self._group = asyncio.TaskGroup()
        self._passing: asyncio.Task[None] | None = None
        self._fault: Exception | None = None  # what the caller's sink raised

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return self._sink is not None

    @property
    def began(self) -> bool:
        """Whether any audio came, so that no other voice may go on."""
        return self._passing is not None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._passing is not None:
            self._passing.cancel()
        await self._group.__aexit__(None, None, None)  # told of an error, it would wrap it into a group

    async def begin(self, *, rate_hz: int) -> None:
        """See `AudioSink`."""
        if self._sink is None:
            return
        if self.limit is not None:
            self.limit.reschedule(None)
        self._passing = self._group.create_task(self._pass_on(self._sink, rate_hz))

    async def write(self, pcm: bytes) -> None:
        """See `AudioSink`; raises what the caller's sink did, so that nobody speaks on to one who left."""
        if self._fault is not None:
            raise self._fault
        self._pieces.put_nowait(pcm)

    async def hear_out(self, deadline: Deadline) -> Failure | None:
        """Wait until the caller has all that came: None, or why they never will."""
        if self._passing is None:
            return None
        began_s = self._clock.monotonic()
        self._pieces.put_nowait(None)
        try:
            done, _ = await asyncio.wait({self._passing}, timeout=deadline.left_s())
        finally:
            self.waited_s = self._clock.monotonic() - began_s
        if not done:
            return _gone("the listener had not taken the audio when the deadline passed")
        if self._fault is None:
            return None
        if isinstance(self._fault, OSError):
            return _gone("the listener left")
        return Failure(kind=ErrorKind.INTERNAL, code=None, detail="our own fault")

    async def _pass_on(self, sink: AudioSink, rate_hz: int) -> None:
        try:
            await sink.begin(rate_hz=rate_hz)
            while (piece := await self._pieces.get()) is not None:
                await sink.write(piece)
        except OSError as gone:  # whoever speaks is told with the next piece, or in the end
            self._fault = gone
        except Exception as fault:
            log.exception("audio not passed on by our own fault")
            self._fault = fault


def _gone(detail: str) -> Failure:
    return Failure(kind=ErrorKind.CANCELLED, code="local.listener", detail=detail)
