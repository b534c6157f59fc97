"""Whether breakers keep opening: one outage is the breaker's business, a second one soon after is the rollout's."""

from harness.rollout.rules import StageRules

__all__ = ["Openings"]


class Openings:
    """When the breakers of each process opened, for one operation.

    Counted for each process by itself: one outage opens the breakers of all of them at once.
    """

    def __init__(self, rules: StageRules) -> None:
        self._rules = rules
        self._opened_s: dict[str, list[float]] = {}

    def add(self, process: str, at_s: float) -> str | None:
        """Count an opening; the figures, when it is one too many."""
        recent = [each for each in self._opened_s.get(process, []) if each > at_s - self._rules.within_s]
        recent.append(at_s)
        self._opened_s[process] = recent
        if len(recent) < self._rules.openings:
            return None
        return f"a breaker opened {len(recent)} times within {self._rules.within_s / 60:g} min"

    def dump(self) -> dict[str, list[float]]:
        """All openings as plain JSON values."""
        return {process: list(times) for process, times in self._opened_s.items()}

    def load(self, opened_s: dict[str, list[float]]) -> None:
        """Go on from what `dump` gave."""
        self._opened_s = {process: list(times) for process, times in opened_s.items()}
