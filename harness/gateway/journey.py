"""One request of a caller on its way: what was asked, and what is known of it so far."""

from dataclasses import dataclass, field
from datetime import datetime

from harness.exchanges import Consent, Exchange, Failure, Lane, Speech
from harness.gateway.callers import Caller
from harness.routing.breakers import BreakerChange
from harness.routing.route import Route
from harness.speech import SpeechRequest

__all__ = ["Journey", "LiveCall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call to one provider for a caller, over."""

    lane: Lane
    exchange: Exchange
    microusd: int | None  # at worst where unsure; None: unknown
    change: BreakerChange | None  # what it did to the breaker
    ended_s: float  # seconds since 1970, when the provider was done; the caller may read on
    slow: bool | None = None  # None where nobody knows


@dataclass(slots=True, kw_only=True)
class Journey:
    """Filled in by the dispatcher, and written into the books whatever became of it."""

    request_id: str
    arrived_at: datetime  # UTC
    caller: Caller
    request: SpeechRequest
    consent: Consent | None  # to use the voice's recording
    route: Route | None = None
    lane: Lane | None = None  # that was asked last
    calls: list[LiveCall] = field(default_factory=list)
    fallback: str | None = None  # why legacy was asked in Qwen's place
    first_byte_s: float | None = None  # until the caller had the first byte of audio
    listener_waited_s: float = 0.0  # for the caller to read, once the provider was done: part of no call's time
    undelivered: Failure | None = None  # why the caller has not all of what came

    @property
    def result(self) -> Speech | Failure | None:
        """What the last provider made of it, or why that did not reach the caller; None before any was asked."""
        result = self.calls[-1].exchange.result if self.calls else None
        return self.undelivered if isinstance(result, Speech) and self.undelivered else result
