"""How fast the allowance of failed callers is used up: over a long window to be sure, and a short one to be current."""

from harness.rollout.rules import BurnRules, BurnWindow
from harness.rollout.window import Cell, Window

__all__ = ["BurnRate"]


class BurnRate:
    """Counts callers of one operation whom Qwen was to answer, and those who ended without speech."""

    def __init__(self, rules: BurnRules) -> None:
        self._rules = rules
        lengths_s = {length_s for window in rules.windows for length_s in (window.long_s, window.short_s)}
        self._window = Window(lengths_s, figures=2)

    def add(self, at_s: float, *, failed: bool) -> None:
        """Count one caller."""
        self._window.add(at_s, (1, int(failed)))

    def burning(self, at_s: float) -> list[tuple[BurnWindow, str]]:
        """The rules that fire at `at_s`, with their figures."""
        self._window.advance(at_s)
        return [(rule, self._figures(rule)) for rule in self._rules.windows if self._fires(rule)]

    def _fires(self, rule: BurnWindow) -> bool:
        _, bad = self._window.sums(rule.long_s)
        return bad >= self._rules.min_bad and all(
            self._rate(length_s) >= rule.factor for length_s in (rule.long_s, rule.short_s)
        )

    def _rate(self, length_s: int) -> float:
        """How many times faster than allowed."""
        total, bad = self._window.sums(length_s)
        return bad / total / (1 - self._rules.objective) if total else 0.0

    def _figures(self, rule: BurnWindow) -> str:
        total, bad = self._window.sums(rule.long_s)
        return (
            f"{bad} of {total} callers without speech in {rule.long_s / 3600:g} h, "
            f"{self._rate(rule.long_s):.1f} times what {self._rules.objective:.1%} allows"
        )

    def dump(self) -> list[Cell]:
        """All counts as plain JSON values."""
        return self._window.dump()

    def load(self, cells: list[Cell]) -> None:
        """Go on from what `dump` gave."""
        self._window.load(cells)
