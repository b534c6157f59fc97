"""Routes requests: reads switch, flags and rollout once each, decides, then asks the breakers.

Sends nothing. The gateway calls `route` for each request, `is_killed` again before anything goes to Qwen, and hands
every permit back.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from harness.exchanges import Lane
from harness.flags.flagset import Flag, FlagSource
from harness.flags.kill_switch import KillSwitch
from harness.routing.breakers import Breakers
from harness.routing.bucket import bucket_of
from harness.routing.route import Because, CeilingSource, Inputs, Route, assign
from harness.speech import Operation

__all__ = ["Router"]


class Router:
    """One for each process."""

    def __init__(
        self,
        *,
        kill_switch: KillSwitch,
        flags: FlagSource,
        rollout: CeilingSource,
        breakers: Breakers,
        environment: Mapping[Operation, Flag] = MappingProxyType({}),
    ) -> None:
        """Route by these.

        Args:
            kill_switch: Asked at every request.
            flags: Where modes and shares are set.
            rollout: What the rollout allows.
            breakers: The health of both lanes.
            environment: Flags set by the environment: they replace those of `flags`, and like those can never exceed
                the rollout.
        """
        self.breakers = breakers
        self._kill_switch = kill_switch
        self._flags = flags
        self._rollout = rollout
        self._environment = environment

    @property
    def is_killed(self) -> bool:
        """Whether nothing may go to Qwen; to be asked right before each call and each copy."""
        return self._kill_switch.reason() is not None

    def inputs(self, operation: Operation, *, unit: str | None, request_id: str) -> Inputs:
        """All that decides about a request at this moment."""
        flags = self._flags.current()
        forced = self._environment.get(operation)
        return Inputs(
            killed=self._kill_switch.reason(),
            flag=forced or flags.flag(operation),
            flag_version=f"{flags.version}+env" if forced else flags.version,
            # Without a usable file there is no salt, so even a forced share could not be dealt out.
            flag_problem=flags.problem,
            salt=flags.salt,
            ceiling=self._rollout.ceiling(operation),
            unit=unit,
            request_id=request_id,
        )

    def route(self, operation: Operation, *, unit: str | None, request_id: str) -> Route:
        """Where this request goes now.

        Returns:
            A route with a permit, or without one when nobody can answer: then say so at once, with 503.
        """
        inputs = self.inputs(operation, unit=unit, request_id=request_id)
        route = assign(inputs)
        if route.lane is Lane.CANDIDATE:
            route = self._to_candidate(operation, route)
        if route.lane is Lane.CONTROL:
            route = self._to_control(operation, route, inputs)
        return route

    def _to_candidate(self, operation: Operation, route: Route) -> Route:
        """Qwen if it is up; with legacy behind it a probe never makes a caller wait, a copy does the finding out."""
        permit = self.breakers.of(Lane.CANDIDATE, operation).ask_permit()
        if route.fallback is None or (permit and not permit.probe):
            return replace(route, permit=permit)
        if permit is None:
            return replace(
                route, lane=Lane.CONTROL, fallback=None, copy_to=None, because=Because.CANDIDATE_DOWN, permit=None
            )
        return replace(
            route,
            lane=Lane.CONTROL,
            fallback=None,
            copy_to=Lane.CANDIDATE,
            copy_permit=permit,
            because=Because.PROBE,
        )

    def _to_control(self, operation: Operation, route: Route, inputs: Inputs) -> Route:
        candidate = self.breakers.of(Lane.CANDIDATE, operation)
        if route.copy_to is Lane.CANDIDATE and route.copy_permit is None and not candidate.is_closed:
            route = replace(route, copy_to=None)  # a provider that is down needs no copies
        permit = self.breakers.of(Lane.CONTROL, operation).ask_permit()
        if permit is None and route.copy_permit:
            # Nobody else can answer, so the caller's own request finds out.
            return replace(route, lane=Lane.CANDIDATE, copy_to=None, permit=route.copy_permit, copy_permit=None)
        if permit is None and candidate.is_closed and _may_spill(inputs):
            spilled = candidate.ask_permit()
            return replace(route, lane=Lane.CANDIDATE, copy_to=None, because=Because.SPILL, permit=spilled)
        return replace(route, permit=permit)


def _may_spill(inputs: Inputs) -> bool:
    """Whether the flag lets this caller get Qwen while legacy is down; never before a canary, never when killed."""
    if inputs.killed or inputs.flag_problem or inputs.unit is None or not inputs.ceiling.share_bp:
        return False
    return bucket_of(inputs.salt, inputs.unit) < inputs.flag.spill_bp
