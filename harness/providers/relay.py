"""Audio handed on while it is made, from a stream that arrives to whoever listens (see `AudioSink`).

Knows nothing of the wire. What the listener does wrong is kept apart from what the provider does: a caller's connection
that breaks must not look like the provider's.
"""

import asyncio
from typing import Final

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.base import AudioSink, Deadline
from harness.providers.pcm_stream import PcmStream

__all__ = ["Relay", "SinkFailed"]

_DECIDES: Final = 4  # bytes, after which a stream is known to be samples or a whole file in pieces


class SinkFailed(Exception):
    """The listener raised, and this carries what.

    Neither an OSError nor one of aiohttp's, or the door would take it for the provider's.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause

    def failure(self) -> Failure:
        """The outcome of a call whose listener left.

        Raises:
            Exception: What the listener raised, when it did not leave but is at fault.
        """
        if not isinstance(self.cause, OSError):
            raise self.cause
        return Failure(kind=ErrorKind.CANCELLED, code="local.listener", detail="the listener left")


class Relay:
    """The way from one request to its listener, if it has one."""

    def __init__(self, sink: AudioSink | None, deadline: Deadline, clock: Clock) -> None:
        self.waited_s = 0.0  # for the listener to take what it was given
        self._sink = sink
        self._deadline = deadline
        self._clock = clock
        self._passed = 0  # bytes
        self._is_blocked = False

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return self._sink is not None

    async def pass_on(self, pcm: PcmStream) -> None:
        """Hand over what has arrived since the last time, in whole samples.

        Raises:
            SinkFailed: The listener raised.
        """
        ready = pcm.whole_bytes
        # A file in pieces has a header of its own and is no stream of samples; it is delivered at its end.
        if self._sink is None or ready <= max(self._passed, _DECIDES - 1) or pcm.is_file:
            return
        piece = bytes(pcm.data[self._passed : ready])
        began_s = self._clock.monotonic()
        self._is_blocked = True
        try:
            async with asyncio.timeout(self._deadline.left_s()):
                if not self._passed:
                    await self._sink.begin(rate_hz=pcm.rate_hz)
                self._passed = ready
                await self._sink.write(piece)
        except Exception as error:
            raise SinkFailed(error) from error
        self._is_blocked = False
        self.waited_s += self._clock.monotonic() - began_s

    def facts(self) -> dict[str, object]:
        """What the listener had, for the record; nothing when it had nothing."""
        if not self._passed:
            return {}
        return {"listener_bytes": self._passed, "listener_waited_s": round(self.waited_s, 6)}

    def blamed(self, fault: Failure) -> Failure:
        """`fault`, unless it is the listener who let the deadline pass."""
        if not self._is_blocked or fault.kind is not ErrorKind.TIMEOUT_TOTAL:
            return fault
        detail = "the listener had not taken the audio when the deadline passed"
        return Failure(kind=ErrorKind.CANCELLED, code="local.listener", detail=detail)
