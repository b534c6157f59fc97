"""The W3C trace context that goes out with every call, set by whoever serves a request and read by the door."""

from contextvars import ContextVar
from typing import Final

__all__ = ["TRACEPARENT", "outgoing_headers"]

TRACEPARENT: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)


def outgoing_headers() -> dict[str, str]:
    """The headers that carry it; none outside of a trace."""
    traceparent = TRACEPARENT.get()
    return {} if traceparent is None else {"traceparent": traceparent}
