"""One log line for each request, with all that somebody who looks into it at night asks for first."""

import logging
from typing import Any

from harness.telemetry.answered import AnsweredRequest, ProviderCall

__all__ = ["log_request", "request_fields"]

log = logging.getLogger(__name__)


def log_request(answered: AnsweredRequest) -> None:
    """Write the line; a warning when the caller got no speech for a reason that is not the caller's."""
    level = logging.WARNING if answered.status >= 500 else logging.INFO
    log.log(level, "request", extra=request_fields(answered))


def request_fields(answered: AnsweredRequest) -> dict[str, Any]:
    """The fields of the line; durations in seconds, money in dollars or null when a price is unknown."""
    by = answered.answered_by
    cost = answered.cost_microusd
    return {
        "request_id": answered.request_id,
        "trace_id": answered.trace_id,
        "caller": answered.caller_key,
        "operation": answered.operation,
        "route": answered.route,
        "status": answered.status,
        "outcome": answered.outcome,
        "provider": by and by.provider,
        "model": by and by.model,
        "provider_request_id": by and by.provider_request_id,
        "fallback": answered.fallback,
        "because": answered.because,
        "mode": answered.mode,
        "share_bp": answered.share_bp,
        "flag_version": answered.flag_version,
        "rollout_version": answered.rollout_version,
        "attempts": answered.attempts,
        "calls": [_call_fields(call) for call in answered.calls],
        "chars": answered.chars,
        "cost_usd": None if cost is None else cost / 1e6,
        "first_byte_s": _rounded(answered.first_byte_s),
        "total_s": _rounded(answered.total_s),
        "listener_waited_s": _rounded(answered.listener_waited_s),
    }


def _call_fields(call: ProviderCall) -> dict[str, Any]:
    exchange = call.exchange
    return {
        "lane": call.lane,
        "provider": exchange.provider,
        "outcome": exchange.outcome,
        "code": getattr(exchange.result, "code", None),
        "attempts": exchange.attempts,
        "service_s": _rounded(exchange.timing.service_s),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
