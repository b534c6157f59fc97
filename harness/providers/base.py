"""What every provider promises, and what it needs of its caller.

A provider sends and reads; who may send, and what it may cost, is decided by the caller's `Admission`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from harness.clock import Clock
from harness.exchanges import Exchange, Failure
from harness.speech import SpeechRequest, Voice

__all__ = [
    "Admission",
    "AudioSink",
    "Deadline",
    "FreeAdmission",
    "PaidCall",
    "Provider",
    "Purpose",
    "References",
    "settlement",
]

Purpose = Literal["speak", "clone", "design"]


class Deadline:
    """The moment after which an answer is of no use; passed down, so that no retry outlives it."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._due_s = clock.monotonic() + seconds

    def left_s(self) -> float:
        """Seconds until then; 0.0 once it has passed."""
        return max(0.0, self._due_s - self._clock.monotonic())


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidCall:
    """One HTTP call that a provider may charge for."""

    provider: str
    purpose: Purpose
    attempt: int  # 1 for the first paid call of a request, counting on through retries
    worst_microusd: int | None  # the most this call can cost; None when a price is unknown

    def intent(self, call_id: str, *, leg: str, at: datetime) -> dict[str, Any]:
        """The journal's record that it is about to go out."""
        return {
            "type": "intent",
            "call": call_id,
            "leg": leg,
            "provider": self.provider,
            "purpose": self.purpose,
            "attempt": self.attempt,
            "worst_microusd": self.worst_microusd,
            "at": at.isoformat(),
        }


def settlement(call_id: str, microusd: int, *, known: bool) -> dict[str, Any]:
    """The journal's record of what an admitted call was booked at; its worst where the cost is not `known`."""
    return {"type": "settle", "call": call_id, "microusd": microusd, "known": known}


class Admission(Protocol):
    """Lets the paid calls of one request out: quota, money and the journal stand behind it.

    One for each request; calls of different requests can be equal.
    """

    async def admit(self, call: PaidCall) -> None:
        """Wait for quota, reserve the worst cost, journal the intent.

        Leaves nothing reserved when it raises, cancellation included: the call is then never settled.

        Raises:
            NotAdmitted: It may not go out: sending was stopped, or (BudgetExceeded) it could cost more than is left.
        """
        ...

    def settle(self, call: PaidCall, microusd: int | None) -> None:
        """Book an admitted call: its exact cost, 0 when surely not billed, None when it must stay at its worst."""
        ...


class FreeAdmission:
    """Lets everything through at once; for calls that nobody accounts for, such as a check of the setup."""

    async def admit(self, call: PaidCall) -> None:
        """Let it through."""

    def settle(self, call: PaidCall, microusd: int | None) -> None:
        """Forget it."""


class References(Protocol):
    """Where reference recordings lie by their hash; `harness.store.blobs.BlobStore` is one."""

    def find(self, sha256: str) -> Path | None:
        """The recording's file; None when it is not here."""
        ...

    def get(self, sha256: str, extension: str) -> bytes:
        """The recording's bytes; raises StoreError when they no longer match the hash."""
        ...


class AudioSink(Protocol):
    """Somebody who listens while a provider still speaks.

    Mono samples, 16 bit, little-endian. What `begin` or `write` raise ends the call and closes its connection: an
    OSError means that the listener left and makes the exchange `cancelled`, anything else is raised again.
    """

    async def begin(self, *, rate_hz: int) -> None:
        """Take note that audio follows; called once, just before the first `write`."""
        ...

    async def write(self, pcm: bytes) -> None:
        """Take the next samples, always whole ones.

        As long as it waits, no more is read from the provider, and the exchange's times hold that wait: a sink before
        somebody who may be slow takes all at once and passes it on by itself, as the gateway's `Listener` does.
        """
        ...


class Provider(Protocol):
    """Turns a `SpeechRequest` into an `Exchange`. An async context manager that owns its connections."""

    name: str

    async def __aenter__(self) -> Self:
        """Open for business."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        ...

    async def synthesize(
        self,
        request: SpeechRequest,
        *,
        admission: Admission,
        deadline: Deadline,
        sink: AudioSink | None = None,
    ) -> Exchange:
        """The audio, or the reason why there is none; what a provider does wrong never raises.

        Args:
            request: What is to be said.
            admission: Lets its paid calls out.
            deadline: For all attempts together, and for the sink to take what it is given.
            sink: Gets the audio while it is made, where the delivery streams; never called where it does not.
                Once it was called no attempt is repeated: what goes wrong then is the exchange's failure. The
                exchange holds the whole audio all the same.
        """
        ...

    def worst_microusd(self, request: SpeechRequest) -> int | None:
        """The most one attempt of every paid call of `request` can cost; None when a price is unknown."""
        ...

    async def prepare_voice(
        self, voice: Voice, *, language: str | None, admission: Admission, deadline: Deadline
    ) -> str | Failure | None:
        """The provider's own id of the voice, made when missing; None where a provider keeps no voices."""
        ...

    async def missing_voices(self, voices: Iterable[Voice]) -> list[Voice]:
        """Which of these `prepare_voice` would have to make and pay for; asking is free."""
        ...

    async def delete_voice(self, voice_id: str) -> bool:
        """Whether the voice is surely gone from the provider now."""
        ...
