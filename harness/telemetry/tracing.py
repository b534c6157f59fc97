"""Traces: the caller's W3C trace context is passed on to providers, and spans are made where OpenTelemetry is set up.

We configure no exporter. `opentelemetry-instrument cutover serve` does, by the OTEL_… variables; without its SDK only
the ids are passed on, so that a log line here and a line elsewhere can be joined.
"""

import contextlib
import functools
import importlib.util
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.providers.trace_context import TRACEPARENT

__all__ = ["TraceContext", "parse_traceparent", "spans_are_made", "trace"]

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MAX_CHARS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """Where a request belongs among others."""

    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16 of them
    flags: int  # bit 0: sampled

    @property
    def traceparent(self) -> str:
        """As the header has it."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    def child(self) -> "TraceContext":
        """A span of ours under this one."""
        return TraceContext(trace_id=self.trace_id, span_id=secrets.token_hex(8), flags=self.flags)


def parse_traceparent(value: str | None) -> TraceContext | None:
    """The context in a header; None when there is none or it breaks the W3C's rules, and then a new one begins."""
    match = _TRACEPARENT.fullmatch(value) if value and len(value) <= _MAX_CHARS else None
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id=trace_id, span_id=span_id, flags=int(flags, 16) & 1)


def _begun() -> TraceContext:
    """A trace that begins here; not sampled, since nobody asked for it."""
    return TraceContext(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8), flags=0)


@functools.cache  # looking costs as much as all else that is done for a trace, and nobody installs it meanwhile
def _sdk_is_installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("opentelemetry", "opentelemetry.sdk"))


def spans_are_made() -> bool:
    """Whether OpenTelemetry's SDK is installed and somebody configured it."""
    if not _sdk_is_installed():
        return False
    from opentelemetry import trace as api
    from opentelemetry.sdk.trace import TracerProvider

    return isinstance(api.get_tracer_provider(), TracerProvider)


@contextlib.contextmanager
def trace(name: str, traceparent: str | None, attributes: Mapping[str, Any] | None = None) -> Iterator[TraceContext]:
    """Everything in the block belongs to one span, and calls to providers carry its context.

    Args:
        name: Of the span.
        traceparent: The caller's header; None or a bad one begins a new trace.
        attributes: Of the span, where one is made; ids and choices, no content.
    """
    parent = parse_traceparent(traceparent)
    if spans_are_made():
        with _span(name, parent, dict(attributes or {})) as context, _passed_on(context):
            yield context
        return
    context = parent.child() if parent else _begun()
    with _passed_on(context):
        yield context


@contextlib.contextmanager
def _passed_on(context: TraceContext) -> Iterator[None]:
    token = TRACEPARENT.set(context.traceparent)
    try:
        yield
    finally:
        TRACEPARENT.reset(token)


@contextlib.contextmanager
def _span(name: str, parent: TraceContext | None, attributes: dict[str, Any]) -> Iterator[TraceContext]:
    """A span of OpenTelemetry's, under the caller's."""
    from opentelemetry import trace as api

    above = None
    if parent is not None:
        remote = api.SpanContext(
            trace_id=int(parent.trace_id, 16),
            span_id=int(parent.span_id, 16),
            is_remote=True,
            trace_flags=api.TraceFlags(parent.flags),
        )
        above = api.set_span_in_context(api.NonRecordingSpan(remote))
    tracer = api.get_tracer("voice-cutover")
    with tracer.start_as_current_span(name, context=above, kind=api.SpanKind.SERVER, attributes=attributes) as span:
        own = span.get_span_context()
        yield TraceContext(
            trace_id=f"{own.trace_id:032x}", span_id=f"{own.span_id:016x}", flags=int(own.trace_flags) & 1
        )
