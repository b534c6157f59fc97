"""The calls a stand-in receives, told apart by content and by turn, and the chance each of them brings along.

Nothing depends on the order in which concurrent calls arrive: two runs with one seed meet the same weather.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from random import Random

__all__ = ["Call", "Calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call for some content."""

    seed: int
    content: str  # digest of what was asked for
    turn: int  # how many calls for this content came before

    def random(self, purpose: str) -> Random:
        """Chance that each turn has anew."""
        return Random(f"{self.seed} {self.content} {self.turn} {purpose}")

    def lot(self, purpose: str) -> float:
        """A number in [0, 1) that falls to the content: a retry draws the same."""
        digest = hashlib.sha256(f"{self.seed} {self.content} {purpose}".encode()).digest()
        return int.from_bytes(digest[:7]) / (1 << 56)

    @property
    def take(self) -> int:
        """Seed of how this turn sounds."""
        return self.random("take").getrandbits(63)


class Calls:
    """Numbers the calls for each content."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._turns: Counter[str] = Counter()

    def next(self, *content: str | None) -> Call:
        """The next call for `content`, given as what shapes the reply and nothing random."""
        digest = hashlib.sha256("\0".join(part or "" for part in content).encode()).hexdigest()
        self._turns[digest] += 1
        return Call(seed=self._seed, content=digest, turn=self._turns[digest] - 1)

    def reset(self) -> None:
        """Every content is new again."""
        self._turns.clear()
