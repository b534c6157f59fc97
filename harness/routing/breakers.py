"""The breakers of one process: one for each lane, which is a provider's part, and operation."""

from enum import StrEnum

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.routing.breaker import (
    LEGACY_RULES,
    BreakerRules,
    BreakerState,
    Permit,
    Phase,
    ask_permit,
    observe,
    release,
)
from harness.speech import Operation

__all__ = ["Breaker", "BreakerChange", "Breakers"]


class BreakerChange(StrEnum):
    """What an outcome did to a breaker; written down with it, so that all processes' openings can be counted."""

    OPENED = "opened"
    CLOSED = "closed"


class Breaker:
    """Keeps the state of one path and the time."""

    def __init__(self, *, clock: Clock, rules: BreakerRules) -> None:
        self.state = BreakerState()
        self._clock = clock
        self._rules = rules

    @property
    def is_closed(self) -> bool:
        """Whether calls go out freely."""
        return self.state.phase is Phase.CLOSED

    def ask_permit(self) -> Permit | None:
        """Leave to send one call, or None. A permit must come back through `record` or `release`."""
        self.state, permit = ask_permit(self.state, self._clock.monotonic(), self._rules)
        return permit

    def record(self, permit: Permit, kind: ErrorKind | None, *, slow: bool | None = None) -> BreakerChange | None:
        """Take the outcome of a permitted call; says whether the breaker opened or closed by it."""
        before = self.state
        now_s = self._clock.monotonic()
        self.state = observe(before, permit, kind, slow=slow, now_s=now_s, rules=self._rules)
        if self.state.phase is before.phase:
            return None
        return BreakerChange.OPENED if self.state.phase is Phase.OPEN else BreakerChange.CLOSED

    def release(self, permit: Permit) -> None:
        """Take back a permit whose call never went out."""
        self.state = release(self.state, permit)


class Breakers:
    """Makes a breaker when it is first asked for."""

    def __init__(self, *, clock: Clock, rules: BreakerRules, legacy_rules: BreakerRules = LEGACY_RULES) -> None:
        self._clock = clock
        self._rules = {Lane.CANDIDATE: rules, Lane.CONTROL: legacy_rules}
        self._breakers: dict[tuple[Lane, Operation], Breaker] = {}

    def of(self, lane: Lane, operation: Operation) -> Breaker:
        """The breaker on the way to the provider of `lane`, control or candidate, for `operation`."""
        breaker = self._breakers.get((lane, operation))
        if breaker is None:
            breaker = self._breakers[lane, operation] = Breaker(clock=self._clock, rules=self._rules[lane])
        return breaker

    def states(self) -> dict[tuple[Lane, Operation], BreakerState]:
        """All breakers there are, for metrics and the status page."""
        return {key: breaker.state for key, breaker in self._breakers.items()}
