"""What is counted, for Prometheus. docs/telemetry shows and watches exactly these names; a test holds both together.

Every series carries the label `worker`: processes share one port, so a scrape reaches any of them, and each answers
for all from the files of shared.py. Sums over `worker` are Prometheus' business. This was chosen above the client's
multiprocess mode, which must be set before the first import, knows no collectors, and keeps a file for every worker
that ever lived.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from harness.errors import ErrorKind
from harness.exchanges import OK, Exchange, Lane
from harness.routing.breaker import Phase
from harness.routing.breakers import Breakers
from harness.speech import Operation
from harness.telemetry.answered import AnsweredRequest

__all__ = ["COUNTED", "Metrics", "Share"]

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for each series, which nobody asks for

Share = tuple[Operation, str, float]  # operation, whose ("flag", "rollout", "effective"), 0 to 1
_LATENCY_S: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 40, 80)
_PHASES: Final = {Phase.CLOSED: 0, Phase.HALF_OPEN: 1, Phase.OPEN: 2}
_PROVIDER: Final = {Lane.CANDIDATE: "qwen", Lane.CONTROL: "modal"}
_COPIES: Final = ("offered", "thinned", "dropped", "kept", "lost", "sent", "failed", "withheld", "voiceless")
_CAPTURES: Final = ("sampled", "kept", "left_out", "lost")


class Metrics:
    """All series of one process."""

    def __init__(self, worker: str = "0") -> None:
        """Count for the process that is called `worker`, the same name after a restart."""
        self.registry = CollectorRegistry()
        self._worker = worker
        by = ("worker", "operation", "provider")
        self._requests = self._counter("requests", "Requests of callers", "operation", "provider", "outcome")
        self._refusals = self._counter("refusals", "Requests refused before any provider", "status", "code")
        self._seconds = self._histogram("request_seconds", "Until the caller had the last byte", by)
        self._first_audio = self._histogram("first_audio_seconds", "Until the caller had the first byte of audio", by)
        self._calls = self._counter("provider_calls", "Calls for callers", "operation", "provider", "outcome")
        self._call_seconds = self._histogram("provider_call_seconds", "A call for a caller, attempts included", by)
        self._fallbacks = self._counter("fallbacks", "Legacy in Qwen's place", "operation", "reason", "result")
        self._limited = self._counter("rate_limited", "Calls answered 429", "operation", "provider")
        self._spend = self._counter("spend_usd", "What calls for callers cost", "operation", "provider")
        self._unpriced = self._counter("unpriced_calls", "Answered calls without a price", "operation", "provider")
        self._units = self._counter("billed_units", "What providers bill", "operation", "provider", "unit")
        self._under_way = Gauge(
            "cutover_requests_under_way", "Requests of callers", ("worker",), registry=self.registry
        ).labels(worker)
        self._sources = _Sources(worker)
        self.registry.register(self._sources)
        # By whom it was counted, how and for what: the client checks and joins labels anew at each look-up.
        self._counters_of: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._histograms_of: dict[tuple[Histogram, tuple[str, ...]], Histogram] = {}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"cutover_{name}", text, ("worker", *labels), registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(f"cutover_{name}", text, labels, buckets=_LATENCY_S, registry=self.registry)

    def begin(self) -> None:
        """A request came."""
        self._under_way.inc()

    def end(self, answered: AnsweredRequest) -> None:
        """A request that began is over."""
        self._under_way.dec()
        by = answered.answered_by
        if answered.operation is None or by is None:
            if answered.status >= 400:
                self._add(self._refusals, str(answered.status), answered.outcome)
            return
        labels = (answered.operation.value, by.provider)
        self._add(self._requests, *labels, answered.outcome)
        self._observe(self._seconds, answered.total_s, *labels)
        if answered.first_byte_s is not None:
            self._observe(self._first_audio, answered.first_byte_s, *labels)
        if answered.fallback is not None:
            result = "ok" if answered.outcome == OK else "failed"
            self._add(self._fallbacks, answered.operation.value, answered.fallback, result)
        for call in answered.calls:
            self._count(answered.operation, call.exchange)

    def _count(self, operation: Operation, exchange: Exchange) -> None:
        labels = (operation.value, exchange.provider)
        self._add(self._calls, *labels, exchange.outcome)
        self._observe(self._call_seconds, exchange.timing.service_s, *labels)
        if exchange.outcome == ErrorKind.RATE_LIMITED:
            self._add(self._limited, *labels)
        if exchange.cost.microusd is not None:
            self._add(self._spend, *labels, amount=exchange.cost.microusd / 1e6)
        elif exchange.outcome == OK:
            self._add(self._unpriced, *labels)
        if exchange.usage.units:
            self._add(self._units, *labels, exchange.usage.unit, amount=exchange.usage.units)

    def _add(self, counter: Counter, *labels: str, amount: float = 1.0) -> None:
        child = self._counters_of.get((counter, labels))
        if child is None:
            child = self._counters_of[counter, labels] = counter.labels(self._worker, *labels)
        child.inc(amount)

    def _observe(self, histogram: Histogram, seconds: float, *labels: str) -> None:
        child = self._histograms_of.get((histogram, labels))
        if child is None:
            child = self._histograms_of[histogram, labels] = histogram.labels(self._worker, *labels)
        child.observe(seconds)

    def watch(
        self,
        *,
        breakers: Breakers | None = None,
        shares: Callable[[], Iterable[Share]] | None = None,
        states: Callable[[], Mapping[str, float]] | None = None,
        copies: Callable[[], Mapping[str, float]] | None = None,
        captures: Callable[[], Mapping[str, float]] | None = None,
        quotas: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        """Ask these at every scrape; what was named before stays.

        Args:
            breakers: Of this process.
            shares: Of callers that get Qwen, by operation and by whom it is limited.
            states: `killed`, `flags_unusable`, `rollout_unreadable` (0 or 1), `spool_lost`, `log_lines_dropped`.
            copies: The counts of the shadow, its `waiting` and `spent_usd`.
            captures: The counts of the recorder.
            quotas: Calls a minute that each provider allows us.
        """
        given = {
            "breakers": breakers,
            "shares": shares,
            "states": states,
            "copies": copies,
            "captures": captures,
            "quotas": quotas,
        }
        for name, source in given.items():
            if source is not None:
                setattr(self._sources, name, source)

    def text(self) -> bytes:
        """All series in Prometheus' text format."""
        return generate_latest(self.registry)


class _Sources(Collector):
    """What others count already, read when somebody asks."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self.breakers: Breakers | None = None
        self.shares: Callable[[], Iterable[Share]] = list
        self.states: Callable[[], Mapping[str, float]] = dict
        self.copies: Callable[[], Mapping[str, float]] = dict
        self.captures: Callable[[], Mapping[str, float]] = dict
        self.quotas: Callable[[], Mapping[str, float]] = dict

    def describe(self) -> Iterable[Metric]:
        """The names, so that two collectors cannot claim one."""
        return list(self.collect())

    def collect(self) -> Iterable[Metric]:
        """One family after the other."""
        yield from self._breaker_families()
        share = self._gauge("share", "Of callers that get Qwen, 0 to 1", "operation", "of")
        for operation, of, value in self.shares():
            share.add_metric([self._worker, operation, of], value)
        yield share
        yield from self._state_families()
        copies, copy_values = self._counters("shadow_copies", "What became of copies", "result"), self.copies()
        for result in _COPIES:
            copies.add_metric([self._worker, result], copy_values.get(result, 0))
        yield copies
        for name, text in (("waiting", "Copies that wait"), ("spent_usd", "What copies cost today, UTC")):
            yield self._single(f"shadow_{name}", text, copy_values.get(name, 0))
        captures, capture_values = self._counters("captures", "Requests in the sample", "result"), self.captures()
        for result in _CAPTURES:
            captures.add_metric([self._worker, result], capture_values.get(result, 0))
        yield captures
        quota = self._gauge("quota_calls_per_minute", "What a provider allows the whole account", "provider")
        for provider, allowed in self.quotas().items():
            quota.add_metric([self._worker, provider], allowed)
        yield quota

    def _breaker_families(self) -> Iterable[Metric]:
        phase = self._gauge("breaker_phase", "0 closed, 1 half-open, 2 open", "operation", "provider")
        for (lane, operation), state in (self.breakers.states() if self.breakers else {}).items():
            phase.add_metric([self._worker, operation, _PROVIDER[lane]], _PHASES[state.phase])
        yield phase

    def _state_families(self) -> Iterable[Metric]:
        values = self.states()
        for name, text in (
            ("killed", "Whether the kill switch is on"),
            ("flags_unusable", "Whether the flags cannot be used, so all is legacy"),
            ("rollout_unreadable", "Whether the rollout's state cannot be read, so nobody gets Qwen"),
        ):
            yield self._single(name, text, values.get(name, 0))
        for name, text in (
            ("spool_lost", "Outcomes that the triggers never saw"),
            ("log_lines_dropped", "Log lines nobody read in time"),
        ):
            family = self._counters(name, text)
            family.add_metric([self._worker], values.get(name, 0))
            yield family

    def _gauge(self, name: str, text: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"cutover_{name}", text, labels=("worker", *labels))

    def _counters(self, name: str, text: str, *labels: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"cutover_{name}", text, labels=("worker", *labels))

    def _single(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = self._gauge(name, text)
        family.add_metric([self._worker], value)
        return family


def _names() -> frozenset[str]:
    """Every name that a query may ask for."""
    found: set[str] = set()
    for family in Metrics().registry.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {f"{family.name}{suffix}" for suffix in suffixes}
    return frozenset(found)


COUNTED: Final = _names()
