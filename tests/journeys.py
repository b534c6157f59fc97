"""Journeys, and a dispatcher over scripted providers; for tests of the live path without sockets."""

from collections.abc import Mapping
from typing import Any

from harness.clock import Clock, FakeClock
from harness.config import GatewaySettings, LimitSettings
from harness.exchanges import Lane
from harness.flags.flagset import Flag, FlagSet, Mode
from harness.gateway.callers import Caller
from harness.gateway.dispatch import Dispatcher
from harness.gateway.journey import Journey
from harness.gateway.lanes import Lanes
from harness.gateway.slowness import Slowness
from harness.routing.breaker import BreakerRules
from harness.routing.breakers import Breakers
from harness.routing.route import Ceiling
from harness.routing.router import Router
from harness.speech import Operation, SpeechRequest
from tests.builders import NOON, a_request

__all__ = ["CALLER", "SLOWNESS", "Switch", "a_dispatcher", "a_journey", "a_router"]

SLOWNESS = Slowness(GatewaySettings(slow_s_generate=10.0))
CALLER = Caller(key="hmac:app", name="app", limits=LimitSettings())


class Switch:
    """A kill switch that a test flips."""

    def __init__(self) -> None:
        self.on = False

    def reason(self) -> str | None:
        return "KILL" if self.on else None


class _Flags:
    def __init__(self, mode: Mode) -> None:
        self._flags = FlagSet(version="v1", salt="s", flags=dict.fromkeys(Operation, Flag(mode=mode, shadow_bp=10_000)))

    def current(self) -> FlagSet:
        return self._flags


class _Rollout:
    def ceiling(self, operation: Operation) -> Ceiling:
        return Ceiling(version=1, name="100%", share_bp=10_000, copies=True)


def a_journey(request: SpeechRequest | None = None, **changes: Any) -> Journey:
    fields: dict[str, Any] = {"request_id": "r1", "arrived_at": NOON, "caller": CALLER, "consent": None} | changes
    return Journey(request=request or a_request(), **fields)


def a_router(*, mode: Mode = Mode.QWEN, switch: Switch | None = None, clock: Clock | None = None) -> Router:
    breakers = Breakers(clock=clock or FakeClock(), rules=BreakerRules())
    switch = switch or Switch()
    return Router(kill_switch=switch, flags=_Flags(mode), rollout=_Rollout(), breakers=breakers)  # type: ignore[arg-type]


def a_dispatcher(providers: Mapping[Lane, Any], *, router: Router, switch: Switch, clock: Clock) -> Dispatcher:
    lanes = Lanes(providers, voices=None)
    return Dispatcher(
        router, lanes, kill_reason=switch.reason, clock=clock, first_byte_s=0.05, deadline_s=5.0, slowness=SLOWNESS
    )
