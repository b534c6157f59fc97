from collections.abc import Iterator

import pytest

from harness.providers.trace_context import TRACEPARENT
from harness.telemetry.tracing import parse_traceparent, spans_are_made, trace

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_callers_trace_goes_on_in_a_span_of_ours() -> None:
    with trace("generate", HEADER) as context:
        sent = TRACEPARENT.get()

    assert context.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert context.span_id != "b7ad6b7169203331"
    assert sent == context.traceparent
    assert context.flags == 1
    assert TRACEPARENT.get() is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        HEADER.upper(),
        HEADER.replace("00-", "ff-", 1),
        HEADER + "-more",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        HEADER + "\r\nX-Evil: 1",
        "01-" + HEADER[3:] + "-" + "x" * 10_000,
    ],
)
def test_a_header_that_breaks_the_rules_begins_a_new_trace(header: str | None) -> None:
    assert parse_traceparent(header) is None
    with trace("generate", header) as context:
        assert parse_traceparent(context.traceparent) == context
        assert context.flags == 0


def test_a_later_version_of_the_header_is_read_as_far_as_it_is_known() -> None:
    context = parse_traceparent("01-" + HEADER[3:] + "-extra")

    assert context is not None
    assert context.traceparent == HEADER


def test_two_traces_that_begin_here_are_two() -> None:
    with trace("a", None) as first:
        pass
    with trace("b", None) as second:
        pass

    assert first.trace_id != second.trace_id


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry import trace as api

    exporter, provider = memory.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr(api, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


def test_without_a_configured_sdk_no_spans_are_made() -> None:
    assert not spans_are_made()


def test_a_configured_sdk_gets_a_span_under_the_callers(spans: object) -> None:
    with trace("generate", HEADER, {"operation": "generate"}) as context:
        sent = TRACEPARENT.get()

    (span,) = spans.get_finished_spans()  # type: ignore[attr-defined]
    assert span.name == "generate"
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert f"{span.context.span_id:016x}" == context.span_id
    assert span.attributes == {"operation": "generate"}
    assert sent == context.traceparent
