from prometheus_client.parser import text_string_to_metric_families

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.rules import load_rules
from harness.routing.breakers import Breakers
from harness.speech import Operation
from harness.telemetry.metrics import COUNTED, Metrics
from tests.harness.telemetry.answers import a_call, an_answer


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def answered(metrics: Metrics, **changes: object) -> None:
    metrics.begin()
    metrics.end(an_answer(**changes))


def test_a_request_is_counted_with_its_times_units_and_cost() -> None:
    metrics = Metrics("w1")

    answered(metrics, calls=(a_call(cost_microusd=2_000),))

    by = {"worker": "w1", "operation": "generate", "provider": "modal"}
    assert value(metrics, "cutover_requests_total", outcome="ok", **by) == 1
    assert value(metrics, "cutover_request_seconds_sum", **by) == 1.5
    assert value(metrics, "cutover_first_audio_seconds_sum", **by) == 0.4
    assert value(metrics, "cutover_spend_usd_total", **by) == 0.002
    assert value(metrics, "cutover_billed_units_total", unit="characters", **by) == 13
    assert value(metrics, "cutover_requests_under_way") == 0


def test_a_fallback_counts_both_calls_and_one_request() -> None:
    metrics = Metrics()
    calls = (a_call(Lane.CANDIDATE, failed=ErrorKind.RATE_LIMITED), a_call())

    answered(metrics, calls=calls, fallback="rate_limited")

    assert value(metrics, "cutover_requests_total", provider="modal", outcome="ok") == 1
    assert value(metrics, "cutover_requests_total", provider="qwen") is None
    assert value(metrics, "cutover_provider_calls_total", provider="qwen", outcome="rate_limited") == 1
    assert value(metrics, "cutover_fallbacks_total", reason="rate_limited", result="ok") == 1
    assert value(metrics, "cutover_rate_limited_total", provider="qwen") == 1


def test_what_no_provider_saw_is_a_refusal() -> None:
    metrics = Metrics()

    answered(metrics, calls=(), status=429, outcome="too_many_requests")

    assert value(metrics, "cutover_refusals_total", status="429", code="too_many_requests") == 1
    assert value(metrics, "cutover_requests_total") is None


def test_an_unknown_price_is_counted_and_adds_nothing_to_the_spend() -> None:
    metrics = Metrics()

    answered(metrics, calls=(a_call(cost_microusd=None),))

    assert value(metrics, "cutover_unpriced_calls_total", provider="modal") == 1
    assert value(metrics, "cutover_spend_usd_total") is None


def test_what_others_count_is_read_at_every_scrape() -> None:
    clock, copies = FakeClock(), {"offered": 5, "dropped": 2, "spent_usd": 0.5}
    breakers = Breakers(clock=clock, rules=load_rules().breaker)
    breaker = breakers.of(Lane.CANDIDATE, Operation.CLONE)
    metrics = Metrics()
    metrics.watch(
        breakers=breakers,
        shares=lambda: [(Operation.CLONE, "flag", 0.05)],
        states=lambda: {"killed": 1, "spool_lost": 3},
        copies=lambda: copies,
        captures=lambda: {"lost": 4},
        quotas=lambda: {"qwen": 180},
    )

    for _ in range(3):
        permit = breaker.ask_permit()
        assert permit
        breaker.record(permit, ErrorKind.OVERLOADED)
    copies["dropped"] = 9

    assert value(metrics, "cutover_breaker_phase", operation="clone", provider="qwen") == 2
    assert value(metrics, "cutover_share", operation="clone", of="flag") == 0.05
    assert value(metrics, "cutover_killed") == 1
    assert value(metrics, "cutover_spool_lost_total") == 3
    assert value(metrics, "cutover_shadow_copies_total", result="dropped") == 9
    assert value(metrics, "cutover_shadow_spent_usd") == 0.5
    assert value(metrics, "cutover_captures_total", result="lost") == 4
    assert value(metrics, "cutover_quota_calls_per_minute", provider="qwen") == 180


def test_every_name_in_the_text_is_one_that_is_told() -> None:
    metrics = Metrics()
    answered(metrics)
    names = {
        sample.name for family in text_string_to_metric_families(metrics.text().decode()) for sample in family.samples
    }

    assert names <= COUNTED
