"""All triggers together: outcomes go in, in order; what the rollout should do comes out.

Keeps sums only and takes its time from the outcomes, so the same outcomes always trip at the same place, live, in a
simulation and in a backtest. What it knows can be dumped and loaded, so that a restart forgets nothing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from harness.errors import KINDS
from harness.exchanges import Lane
from harness.rollout.burn import BurnRate
from harness.rollout.openings import Openings
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.rules import Rules
from harness.rollout.spend import Spend
from harness.rollout.trip import Trip, TripAction
from harness.routing.breakers import BreakerChange
from harness.speech import Operation

__all__ = ["Watch"]

_AGAIN_AFTER_S: Final = 3_600.0  # a trigger whose cause lasts says so again, but not with every request
_SICK_FOR_S: Final = 900.0  # a process that died cannot say that legacy is well again

_Dump = dict[str, Any]


class Watch:
    """The triggers of all operations; `take` the outcomes of all processes in the order they came."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._spend = Spend(rules.spend)
        self._operations = {operation: _OperationWatch(rules) for operation in Operation}
        self._fired_s: dict[str, float] = {}  # trigger and operation → when it last fired

    def take(self, outcome: LiveOutcome) -> list[Trip]:
        """What fires by this outcome; mostly nothing."""
        watch = self._operations[outcome.operation]
        trips = [*watch.take(outcome), *self._spent(outcome)]
        return [trip for trip in trips if self._is_news(trip)]

    def reset(self, operation: Operation) -> None:
        """Forget what an earlier rollout of `operation` did; what was spent stays spent."""
        self._operations[operation] = _OperationWatch(self._rules)
        self._fired_s = {key: at_s for key, at_s in self._fired_s.items() if not key.endswith(f"/{operation}")}

    def book(self, outcome: LiveOutcome) -> None:
        """Count what a call cost and nothing else."""
        if outcome.lane is Lane.CANDIDATE and outcome.microusd:
            by_character = outcome.operation is Operation.GENERATE
            self._spend.add(outcome.at_s, microusd=outcome.microusd, chars=outcome.chars if by_character else None)

    def _spent(self, outcome: LiveOutcome) -> Iterator[Trip]:
        if outcome.lane is not Lane.CANDIDATE:
            return
        if outcome.microusd is None and outcome.kind is None:
            reason = "a call was answered and its price is not known; mend the price file, then resume"
            yield _trip(outcome, "price unknown", TripAction.HOLD, reason)
        if not outcome.microusd:
            return
        self.book(outcome)
        for name, figures in self._spend.over_caps():
            yield replace(_trip(outcome, f"spend {name}", TripAction.ROLL_BACK, figures), operation=None, forced=True)
        too_dear = self._spend.over_plan() if outcome.operation is Operation.GENERATE else None
        if too_dear:
            yield replace(_trip(outcome, "cost per character", TripAction.ROLL_BACK, too_dear), forced=True)

    def _is_news(self, trip: Trip) -> bool:
        if trip.action in (TripAction.FREEZE, TripAction.THAW):
            return True  # these fire on a change, not while it lasts
        key = f"{trip.trigger}/{trip.operation}"
        if trip.at_s - self._fired_s.get(key, -_AGAIN_AFTER_S) < _AGAIN_AFTER_S:
            return False
        self._fired_s[key] = trip.at_s
        return True

    def dump(self) -> _Dump:
        """All that is known, as plain JSON values."""
        operations = {operation.value: watch.dump() for operation, watch in self._operations.items()}
        return {"spend": self._spend.dump(), "fired": dict(self._fired_s), "operations": operations}

    def load(self, dump: _Dump) -> None:
        """Go on from what `dump` gave."""
        self._spend.load(dump["spend"])
        self._fired_s = dict(dump["fired"])
        for operation, watch in self._operations.items():
            watch.load(dump["operations"][operation.value])


class _OperationWatch:
    """The triggers of one operation."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._error_sum = 0.0
        self._audio_sum = 0.0
        self._troubles: Counter[str] = Counter()  # since the sum was last 0
        self._openings = Openings(rules.stage)
        self._burn = BurnRate(rules.burn)
        self._sick_s: dict[str, float] = {}  # process → when its breaker on legacy last opened

    def take(self, outcome: LiveOutcome) -> Iterator[Trip]:
        if outcome.lane is Lane.CONTROL:
            yield from self._legacy(outcome)
            return
        yield from self._errors(outcome)
        yield from self._opened(outcome)
        yield from self._audio(outcome)
        yield from self._callers(outcome)

    def _errors(self, outcome: LiveOutcome) -> Iterator[Trip]:
        kind = outcome.kind
        if kind is not None and not KINDS[kind].blames_provider:
            return
        rule = self._rules.stage.errors
        self._error_sum = rule.after(self._error_sum, bad=kind is not None)
        if rule.trips(self._error_sum):
            self._error_sum = 0.0
            reason = f"errors of all processes well above {rule.p0:.0%}, the last one {kind}"
            yield _trip(outcome, "errors", TripAction.ROLL_BACK, reason)

    def _opened(self, outcome: LiveOutcome) -> Iterator[Trip]:
        if outcome.change is not BreakerChange.OPENED:
            return
        reason = self._openings.add(outcome.process, outcome.at_s)
        if reason:
            yield _trip(outcome, "openings", TripAction.ROLL_BACK, reason)

    def _audio(self, outcome: LiveOutcome) -> Iterator[Trip]:
        if outcome.troubles is None:
            return
        rule = self._rules.audio.trouble
        self._audio_sum = rule.after(self._audio_sum, bad=bool(outcome.troubles))
        if not self._audio_sum:
            self._troubles.clear()
        self._troubles.update(outcome.troubles)
        if rule.trips(self._audio_sum):
            heard = ", ".join(f"{count} {name}" for name, count in self._troubles.most_common())
            self._audio_sum = 0.0
            self._troubles.clear()
            yield _trip(outcome, "audio", TripAction.ROLL_BACK, f"bad audio well above {rule.p0:.0%}: {heard}")

    def _callers(self, outcome: LiveOutcome) -> Iterator[Trip]:
        if outcome.caller_failed is None:
            return
        self._burn.add(outcome.at_s, failed=outcome.caller_failed)
        if outcome.caller_failed:
            for window, figures in self._burn.burning(outcome.at_s):
                yield _trip(outcome, f"burn {window.factor:g}x", window.action, figures)

    def _legacy(self, outcome: LiveOutcome) -> Iterator[Trip]:
        """Legacy is sick while the breaker of any process is open on it."""
        was_sick = bool(self._sick_s)
        fresh_s = outcome.at_s - _SICK_FOR_S
        self._sick_s = {process: at_s for process, at_s in self._sick_s.items() if at_s > fresh_s}
        if outcome.change is BreakerChange.OPENED:
            self._sick_s[outcome.process] = outcome.at_s
        elif outcome.change is BreakerChange.CLOSED:
            self._sick_s.pop(outcome.process, None)
        if self._sick_s and not was_sick:
            yield _trip(outcome, "legacy", TripAction.FREEZE, f"legacy is sick, the last error {outcome.kind}")
        elif was_sick and not self._sick_s:
            yield _trip(outcome, "legacy", TripAction.THAW, "legacy is well again")

    def dump(self) -> _Dump:
        return {
            "error_sum": self._error_sum,
            "audio_sum": self._audio_sum,
            "troubles": dict(self._troubles),
            "openings": self._openings.dump(),
            "burn": self._burn.dump(),
            "sick": dict(self._sick_s),
        }

    def load(self, dump: _Dump) -> None:
        self._error_sum = dump["error_sum"]
        self._audio_sum = dump["audio_sum"]
        self._troubles = Counter(dump["troubles"])
        self._openings.load(dump["openings"])
        self._burn.load(dump["burn"])
        self._sick_s = dict(dump["sick"])


def _trip(outcome: LiveOutcome, trigger: str, action: TripAction, reason: str) -> Trip:
    return Trip(trigger=trigger, action=action, operation=outcome.operation, reason=reason, at_s=outcome.at_s)
