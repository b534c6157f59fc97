"""Answered requests that need only what a test is about."""

from typing import Any

from harness.exchanges import Lane
from harness.speech import Operation
from harness.telemetry.answered import AnsweredRequest, ProviderCall
from tests.builders import an_exchange


def a_call(lane: Lane = Lane.CONTROL, **changes: Any) -> ProviderCall:
    provider = "qwen" if lane is Lane.CANDIDATE else "modal"
    return ProviderCall(lane=lane, exchange=an_exchange(**{"provider": provider, **changes}))


def an_answer(**changes: Any) -> AnsweredRequest:
    fields: dict[str, Any] = {
        "request_id": "r1",
        "caller_key": "hmac:app",
        "operation": Operation.GENERATE,
        "route": "/v1/audio/speech",
        "status": 200,
        "outcome": "ok",
        "total_s": 1.5,
        "first_byte_s": 0.4,
        "calls": (a_call(),),
        "chars": 13,
    }
    return AnsweredRequest(**{**fields, **changes})
