"""What a replay is doing right now, in one line: in flight, failures by kind, money, waiting for quota."""

from collections import Counter
from collections.abc import Iterable

from harness.exchanges import OK
from replay.budget import Budget
from replay.quota import Quota

__all__ = ["Tally"]


class Tally:
    """Counts what happens as it happens."""

    def __init__(self, budget: Budget, quotas: Iterable[Quota]) -> None:
        self._budget = budget
        self._quotas = tuple(quotas)
        self.in_flight = 0  # legs sent and not yet answered
        self._failures: Counter[str] = Counter()

    def answered(self, outcome: str) -> None:
        """Count the outcome of one leg."""
        if outcome != OK:
            self._failures[outcome] += 1

    def line(self) -> str:
        """All of it in words; nothing is said about failures and waits that there are none of."""
        failed = [f"{count} {kind}" for kind, count in sorted(self._failures.items())]
        waiting = sum(quota.waiting for quota in self._quotas)
        waited_s = sum(quota.waited_s for quota in self._quotas)
        parts = [
            f"{self.in_flight} in flight",
            f"failed: {', '.join(failed)}" if failed else "none failed",
            f"${self._budget.spent_microusd / 1e6:.2f} spent",
        ]
        if waiting or waited_s >= 0.1:
            parts.append(f"{waiting} wait for quota ({waited_s:.0f} s so far)")
        return ", ".join(parts)
