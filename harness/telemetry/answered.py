"""One answered request as telemetry sees it: what is counted, logged and traced about it. Ids only, never content."""

from dataclasses import dataclass

from harness.exchanges import Exchange, Lane
from harness.speech import Operation

__all__ = ["AnsweredRequest", "ProviderCall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """What one provider made of the request, all attempts together."""

    lane: Lane
    exchange: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRequest:
    """A request and how it ended."""

    request_id: str
    caller_key: str | None  # keyed hash; None where nobody could be told
    operation: Operation | None  # None where no speech was asked for
    route: str  # the pattern, such as "/v1/voices/{id}", never the path
    status: int  # of HTTP
    outcome: str  # "ok", an error kind, or the code of a refusal
    total_s: float  # until the caller had the last byte, however slowly they read
    first_byte_s: float | None = None  # until the caller had the first byte of audio
    listener_waited_s: float = 0.0  # of the total, for the caller to read once the provider was done
    calls: tuple[ProviderCall, ...] = ()  # in order; the last one answered
    fallback: str | None = None  # why legacy answered in Qwen's place; None: it did not
    because: str | None = None  # what decided the route
    mode: str | None = None
    share_bp: int | None = None  # of callers that get Qwen
    flag_version: str | None = None
    rollout_version: int | None = None
    chars: int = 0  # billed characters
    trace_id: str | None = None

    @property
    def answered_by(self) -> Exchange | None:
        """The exchange that the caller got; None when no provider was asked."""
        return self.calls[-1].exchange if self.calls else None

    @property
    def cost_microusd(self) -> int | None:
        """What all calls cost; None when one of them has no known price."""
        costs = [call.exchange.cost.microusd for call in self.calls]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def attempts(self) -> int:
        """Requests sent to providers, retries included."""
        return sum(call.exchange.attempts for call in self.calls)
