"""When the rules would have tripped, on outcomes that were recorded. The same triggers as live; nothing is changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from harness.exchanges import Lane
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.rules import Rules
from harness.rollout.trip import Trip, TripAction
from harness.rollout.watch import Watch
from harness.routing.breaker import LEGACY_RULES, BreakerState, Phase, ask_permit, observe
from harness.routing.breakers import BreakerChange
from harness.speech import Operation

__all__ = ["Backtest", "FirstTrip", "Opening", "backtest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A breaker that would have opened."""

    at_s: float
    operation: Operation
    lane: Lane
    request: int  # how many outcomes of this operation and lane came before, and this one
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTrip:
    """The trip that would have ended the canary of an operation."""

    trip: Trip
    request: int  # how many outcomes of Qwen it took
    failed_before: int  # of them, those without speech
    failed_after: int  # failures that came later and would have been spared


@dataclass(slots=True, kw_only=True)
class Backtest:
    """What the rules would have done."""

    outcomes: int = 0
    withheld: int = 0  # calls that an open breaker would have kept from their provider
    openings: list[Opening] = field(default_factory=list)
    trips: list[Trip] = field(default_factory=list)
    first: dict[Operation, FirstTrip] = field(default_factory=dict)


def backtest(outcomes: Iterable[LiveOutcome], rules: Rules) -> Backtest:
    """Replay `outcomes`, in the order they came, through breakers and triggers.

    What the breakers did then is forgotten and decided anew by `rules`. Calls that an open breaker would not have let
    out are withheld from the triggers, as are all of Qwen's once its operation is rolled back.
    """
    return _Run(rules).of(outcomes)


class _Run:
    def __init__(self, rules: Rules) -> None:
        self._rules = {Lane.CANDIDATE: rules.breaker, Lane.CONTROL: LEGACY_RULES}
        self._watch = Watch(rules)
        self._breakers: dict[tuple[str, Operation, Lane], BreakerState] = {}
        self._counts: dict[tuple[Operation, Lane], int] = {}
        self._failed: dict[Operation, int] = {}
        self._result = Backtest()

    def of(self, outcomes: Iterable[LiveOutcome]) -> Backtest:
        for outcome in outcomes:
            self._take(outcome)
        return self._result

    def _take(self, outcome: LiveOutcome) -> None:
        self._result.outcomes += 1
        if outcome.lane is Lane.CANDIDATE and outcome.operation in self._result.first:
            self._spare(outcome)
            return
        key = (outcome.operation, outcome.lane)
        self._counts[key] = self._counts.get(key, 0) + 1
        if outcome.lane is Lane.CANDIDATE and outcome.kind is not None:
            self._failed[outcome.operation] = self._failed.get(outcome.operation, 0) + 1
        seen = self._through_breaker(outcome)
        if seen is None:
            self._result.withheld += 1
            return
        for trip in self._watch.take(seen):
            self._trip(trip)

    def _spare(self, outcome: LiveOutcome) -> None:
        if outcome.kind is not None:
            first = self._result.first[outcome.operation]
            self._result.first[outcome.operation] = replace(first, failed_after=first.failed_after + 1)

    def _through_breaker(self, outcome: LiveOutcome) -> LiveOutcome | None:
        """The outcome with what it does to its breaker; None where the call would not have gone out."""
        key = (outcome.process, outcome.operation, outcome.lane)
        rules = self._rules[outcome.lane]
        state, permit = ask_permit(self._breakers.get(key, BreakerState()), outcome.at_s, rules)
        if permit is None:
            self._breakers[key] = state
            return None
        after = observe(state, permit, outcome.kind, slow=outcome.slow, now_s=outcome.at_s, rules=rules)
        self._breakers[key] = after
        change = self._change(outcome, state, after)
        return outcome if change is outcome.change else replace(outcome, change=change)

    def _change(self, outcome: LiveOutcome, before: BreakerState, after: BreakerState) -> BreakerChange | None:
        if after.phase is before.phase:
            return None
        if after.phase is not Phase.OPEN:
            return BreakerChange.CLOSED
        self._result.openings.append(
            Opening(
                at_s=outcome.at_s,
                operation=outcome.operation,
                lane=outcome.lane,
                request=self._counts[outcome.operation, outcome.lane],
                reason=after.reason,
            )
        )
        return BreakerChange.OPENED

    def _trip(self, trip: Trip) -> None:
        self._result.trips.append(trip)
        if trip.action is not TripAction.ROLL_BACK:
            return
        for operation in (trip.operation,) if trip.operation else tuple(Operation):
            if (operation, Lane.CANDIDATE) in self._counts:
                self._result.first.setdefault(
                    operation,
                    FirstTrip(
                        trip=trip,
                        request=self._counts[operation, Lane.CANDIDATE],
                        failed_before=self._failed.get(operation, 0),
                        failed_after=0,
                    ),
                )
