"""What Qwen costs on the live path, against two caps and the plan."""

import math

from harness.rollout.rules import SpendRules
from harness.rollout.window import Cell, Window

__all__ = ["Spend", "upper_cost_per_1k_usd"]

_HOUR_S = 3_600
_DAY_S = 86_400
_Z_95 = 1.645  # one-sided 95 % of a normal distribution


class Spend:
    """What all operations cost together, and what speech costs by the character."""

    def __init__(self, rules: SpendRules) -> None:
        self._rules = rules
        # All micro-dollars; then of speech its requests, micro-dollars, characters, and the squares that a bound needs.
        self._window = Window((_HOUR_S, _DAY_S), figures=7)

    def add(self, at_s: float, *, microusd: int, chars: int | None) -> None:
        """Book one call; `chars` is None where it is not paid by the character."""
        if chars is None:
            self._window.add(at_s, (microusd,))
        else:
            squares = (microusd * microusd, microusd * chars, chars * chars)
            self._window.add(at_s, (microusd, 1, microusd, chars, *squares))

    def over_caps(self) -> list[tuple[str, str]]:
        """The caps that were reached by the last call, by name, with their figures."""
        caps = (("hour", _HOUR_S, self._rules.hour_usd), ("day", _DAY_S, self._rules.day_usd))
        spent = [(name, self._window.sums(length_s)[0], cap_usd) for name, length_s, cap_usd in caps if cap_usd]
        return [
            (name, f"${microusd / 1e6:.2f} in the last {name}, ${cap_usd:.2f} is the cap")
            for name, microusd, cap_usd in spent
            if microusd >= cap_usd * 1e6
        ]

    def over_plan(self) -> str | None:
        """The figures, when a day's cost per character may be too far above the plan; None while it is not."""
        _, requests, *sums = self._window.sums(_DAY_S)
        upper_usd = upper_cost_per_1k_usd(requests, *sums)
        limit_usd = self._rules.plan_usd_per_1k_chars * self._rules.max_ratio
        if requests < self._rules.min_requests or upper_usd is None or upper_usd <= limit_usd:
            return None
        return f"1,000 characters may cost ${upper_usd:.4f} by {requests} requests, ${limit_usd:.4f} is the limit"

    def dump(self) -> list[Cell]:
        """All sums as plain JSON values."""
        return self._window.dump()

    def load(self, cells: list[Cell]) -> None:
        """Go on from what `dump` gave."""
        self._window.load(cells)


def upper_cost_per_1k_usd(n: int, cost: int, chars: int, cost2: int, cost_chars: int, chars2: int) -> float | None:
    """Upper 95 % bound of the ratio of totals, in dollars per 1,000 characters; None below two requests.

    The delta method: each request's cost less what its characters should have cost is an error of mean 0.

    Args:
        n: Requests.
        cost: Sum of their costs, micro-dollars.
        chars: Sum of their billed characters.
        cost2: Sum of squared costs.
        cost_chars: Sum of cost times characters.
        chars2: Sum of squared characters.
    """
    if n < 2 or not chars:
        return None
    ratio = cost / chars
    squares = max(0.0, cost2 - 2 * ratio * cost_chars + ratio * ratio * chars2)
    error = math.sqrt(squares * n / (n - 1)) / chars
    return (ratio + _Z_95 * error) * 1_000 / 1e6
