"""The rollout as one process of the live path sees it: quick to read, and able to take Qwen back for all processes."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

from harness.clock import Clock
from harness.errors import HarnessError
from harness.flags.kill_switch import KillSwitch
from harness.flags.watched import WatchedFile
from harness.rollout.stage import Rollout, Rollouts, Stage, Standing
from harness.rollout.state_codec import unpack
from harness.rollout.state_file import StateFile
from harness.rollout.transitions import freeze, hold, roll_back, thaw
from harness.rollout.trip import Trip, TripAction
from harness.routing.route import Ceiling
from harness.speech import Operation

__all__ = ["LiveRollout"]

log = logging.getLogger(__name__)

# Copies reach no caller, so before a rollout has begun the flags alone decide about them.
_NOT_BEGUN: Final = Ceiling(version=0, name="not begun", copies=True)


class _Seen(NamedTuple):
    """The last look at the state file."""

    rollouts: Rollouts
    ceilings: Mapping[Operation, Ceiling]
    otherwise: Ceiling  # for operations without a rollout
    problem: str | None


class LiveRollout:
    """Reads the state file about every `poll_s`, and carries out trips.

    A trip counts in this process at once, before and whether or not it can be written. If it cannot, the kill switch
    is thrown instead, so that the other processes stop as well.
    """

    def __init__(self, state: StateFile, *, kill_switch: KillSwitch, clock: Clock, poll_s: float = 0.05) -> None:
        self._state = state
        self._kill_switch = kill_switch
        self._tripped: dict[Operation, str] = {}  # → epoch, of trips that the state file may not show yet
        self._file = WatchedFile(state.path, parse=self._parse, fail_safe=self._unreadable, clock=clock, poll_s=poll_s)

    @property
    def problem(self) -> str | None:
        """Why the state cannot be read; nobody gets Qwen meanwhile."""
        return self._file.current().problem

    @property
    def rollouts(self) -> Rollouts:
        """The state as last seen."""
        return self._file.current().rollouts

    def ceiling(self, operation: Operation) -> Ceiling:
        """What the rollout allows `operation` now."""
        seen = self._file.current()
        ceiling = seen.ceilings.get(operation, seen.otherwise)
        if operation in self._tripped and ceiling.share_bp:
            if seen.rollouts.of[operation].epoch == self._tripped[operation]:
                return Ceiling(version=ceiling.version, name=Standing.ROLLED_BACK.value)
            del self._tripped[operation]
        return ceiling

    async def carry_out(self, trip: Trip) -> None:
        """Do what a trigger asks, for all processes; what is done already stays as it is."""
        step = _step_of(trip)
        if step is None:
            log.warning("trigger fired", extra={"trigger": trip.trigger, "reason": trip.reason})
            return
        operations = (trip.operation,) if trip.operation else tuple(Operation)
        self._count_at_once(operations, step)
        try:
            await self._state.change(
                lambda rollout: rollout and step(rollout),
                operations=operations,
                who=f"trigger {trip.trigger}",
                why=trip.reason,
            )
        except (HarnessError, OSError) as error:
            self._last_resort(trip, error)
        else:
            log.error("trigger fired", extra={"trigger": trip.trigger, "action": trip.action, "reason": trip.reason})

    def _count_at_once(self, operations: tuple[Operation, ...], step: Callable[[Rollout], Rollout]) -> None:
        of = self._file.current().rollouts.of
        for operation in operations:
            rollout = of.get(operation)
            if rollout and rollout.share_bp and not step(rollout).share_bp:
                self._tripped[operation] = rollout.epoch

    def _last_resort(self, trip: Trip, error: Exception) -> None:
        log.error("rollout cannot be changed", extra={"trigger": trip.trigger, "error": str(error)})
        if trip.action is TripAction.ROLL_BACK:
            why = f"trigger {trip.trigger} could not be written: {trip.reason}"
            try:
                self._kill_switch.engage(who="rollout", why=why, at=_time(trip))
            except HarnessError as worse:
                log.error("kill switch cannot be thrown, only this process stopped", extra={"error": str(worse)})

    def _parse(self, content: bytes) -> _Seen:
        rollouts = unpack(content, name=str(self._state.path))
        ceilings = {operation: _ceiling(rollouts.version, rollout) for operation, rollout in rollouts.of.items()}
        log.info("rollout changed", extra={"version": rollouts.version})
        return _Seen(rollouts, MappingProxyType(ceilings), _NOT_BEGUN, problem=None)

    def _unreadable(self, problem: str) -> _Seen:
        if not self._state.path.exists() and not self._state.log.exists():
            return _Seen(Rollouts(), MappingProxyType({}), _NOT_BEGUN, problem=None)
        log.error("rollout unreadable, nobody gets Qwen", extra={"problem": problem})
        return _Seen(Rollouts(), MappingProxyType({}), Ceiling(version=0, name="unreadable"), problem=problem)


def _ceiling(version: int, rollout: Rollout) -> Ceiling:
    rolled_back = rollout.standing is Standing.ROLLED_BACK
    return Ceiling(
        version=version,
        name=rollout.name,
        share_bp=rollout.share_bp,
        copies=not rolled_back,
        retired=rollout.stage is Stage.RETIRED and not rolled_back,
    )


def _step_of(trip: Trip) -> Callable[[Rollout], Rollout] | None:
    """The transition that a trip asks for; None when it only wants to be seen."""
    match trip.action:
        case TripAction.ROLL_BACK:
            return partial(roll_back, now=_time(trip), why=f"{trip.trigger}: {trip.reason}", forced=trip.forced)
        case TripAction.HOLD:
            return partial(hold, why=f"{trip.trigger}: {trip.reason}")
        case TripAction.FREEZE:
            return partial(freeze, why=trip.reason)
        case TripAction.THAW:
            return partial(thaw, now=_time(trip), why=trip.reason)
        case TripAction.TICKET:
            return None


def _time(trip: Trip) -> datetime:
    return datetime.fromtimestamp(trip.at_s, UTC)
