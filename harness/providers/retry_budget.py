"""How many retries a provider may get at all, whoever's request they are for.

A retry of its own is harmless; when most calls fail, everybody's together double the load on a provider that is down
already (reliability.md, after Envoy's retry budgets). Decides only; which failure a retry can help is told in retry.py.
"""

from dataclasses import dataclass, field

__all__ = ["RetryBudget"]


@dataclass(slots=True, kw_only=True)
class RetryBudget:
    """Retries that are earned by first calls; one for each provider, shared by all its requests."""

    share: float = 0.2  # of first calls, in [0, 1] (reliability.md F04); CUTOVER_QWEN__RETRY_SHARE sets it
    reserve: float = 3.0  # to begin with, or a request alone could never be tried again; Envoy's default minimum
    most: float = 20.0  # what a hundred calls earn: an outage after a good hour is no licence for a thousand retries
    refused: int = 0  # retries that were not made
    _left: float = field(init=False)

    def __post_init__(self) -> None:
        self._left = self.reserve

    def earn(self) -> None:
        """Note the first call of a request."""
        self._left = min(self.most, self._left + self.share)

    def spend(self) -> bool:
        """Whether one more retry may be made; it is then counted as made."""
        # A fifth is no binary number: five of them are a little less than one, and shall do.
        if self._left < 1.0 - 1e-9:
            self.refused += 1
            return False
        self._left -= 1.0
        return True
