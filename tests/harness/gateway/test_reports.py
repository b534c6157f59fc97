from harness.exchanges import Lane
from harness.gateway.journey import LiveCall
from harness.gateway.reports import answered_request
from tests.builders import an_exchange
from tests.journeys import a_journey, a_router


def test_a_request_without_a_journey_is_counted_as_refused() -> None:
    report = answered_request(None, request_id="r", route="/v1", status=401, outcome="invalid_api_key", total_s=0.1)

    assert (report.operation, report.outcome, report.answered_by) == (None, "invalid_api_key", None)


def test_a_journey_tells_what_decided_and_what_was_called() -> None:
    journey = a_journey(fallback="overloaded", listener_waited_s=0.04)
    journey.route = a_router().route(journey.request.operation, unit="u", request_id="r1")
    call = LiveCall(lane=Lane.CONTROL, exchange=an_exchange(), microusd=1_000, change=None, ended_s=0.0)
    journey.calls.append(call)

    report = answered_request(journey, request_id="r1", route="/v1", status=200, outcome=None, total_s=0.1)

    assert (report.outcome, report.because, report.flag_version, report.fallback) == (
        "ok",
        "in-share",
        "v1",
        "overloaded",
    )
    assert (report.cost_microusd, report.caller_key, report.chars) == (1_000, "hmac:app", 13)
    assert report.listener_waited_s == 0.04
