"""A request of a caller as telemetry sees it."""

from harness.exchanges import OK
from harness.gateway.journey import Journey
from harness.speech import billed_chars
from harness.telemetry.answered import AnsweredRequest, ProviderCall

__all__ = ["answered_request"]


def answered_request(
    journey: Journey | None,
    *,
    request_id: str,
    route: str,
    status: int,
    outcome: str | None,
    total_s: float,
    caller_key: str | None = None,
    trace_id: str | None = None,
) -> AnsweredRequest:
    """What telemetry gets about a request; `outcome` says what it was refused with."""
    if journey is None:
        return AnsweredRequest(
            request_id=request_id,
            caller_key=caller_key,
            operation=None,
            route=route,
            status=status,
            outcome=outcome or OK,
            total_s=total_s,
            trace_id=trace_id,
        )
    decided = journey.route
    return AnsweredRequest(
        request_id=request_id,
        caller_key=journey.caller.key,
        operation=journey.request.operation,
        route=route,
        status=status,
        outcome=outcome or OK,
        total_s=total_s,
        first_byte_s=journey.first_byte_s,
        listener_waited_s=journey.listener_waited_s,
        calls=tuple(ProviderCall(lane=call.lane, exchange=call.exchange) for call in journey.calls),
        fallback=journey.fallback,
        because=decided.because.value if decided else None,
        mode=decided.mode.value if decided else None,
        share_bp=decided.share_bp if decided else None,
        flag_version=decided.flag_version if decided else None,
        rollout_version=decided.rollout_version if decided else None,
        chars=billed_chars(journey.request.spoken_text),
        trace_id=trace_id,
    )
