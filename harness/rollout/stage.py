"""Where the rollout of one operation stands: a stage, and whether it may move.

    SHADOW -> 1 % -> 5 % -> 25 % -> 50 % -> 100 % -> RETIRED
    running       may be promoted on evidence
    held          stays where it is until there is evidence
    frozen        legacy is sick: no share changes, since what leaves Qwen would land there
    rolled back   nobody gets Qwen until a person starts anew with a new evidence epoch

How it gets from one to the other is in transitions.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from harness.speech import Operation

__all__ = ["NEXT", "Rollout", "Rollouts", "Stage", "Standing"]


class Stage(StrEnum):
    """A step of the rollout, named by its share as people say it."""

    SHADOW = "shadow"
    C1 = "1%"
    C5 = "5%"
    C25 = "25%"
    C50 = "50%"
    FULL = "100%"  # legacy still stands by
    RETIRED = "retired"  # legacy is gone

    @property
    def share_bp(self) -> int:
        """The share of callers that may get Qwen, in basis points."""
        return _SHARES[self]


_SHARES: Final = MappingProxyType(
    {
        Stage.SHADOW: 0,
        Stage.C1: 100,
        Stage.C5: 500,
        Stage.C25: 2_500,
        Stage.C50: 5_000,
        Stage.FULL: 10_000,
        Stage.RETIRED: 10_000,
    }
)

NEXT: Final = MappingProxyType(dict(zip(list(Stage)[:-1], list(Stage)[1:], strict=True)))  # no step is skipped


class Standing(StrEnum):
    """Whether the rollout may move."""

    RUNNING = "running"
    HELD = "held"
    FROZEN = "frozen"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The rollout of one operation."""

    stage: Stage  # the one it was in, once rolled back
    standing: Standing
    epoch: str  # names the thresholds, models and voices that the evidence is about
    started_at: datetime  # UTC, of this epoch
    since: datetime  # UTC, in this stage, or rolled back
    reason: str  # of the last change
    tripped_at: datetime | None = None  # the last trip in this epoch, carried out or not
    pending: str | None = None  # a trip that waits because legacy is sick or gone
    spent_epochs: tuple[str, ...] = ()  # rolled back once: their evidence is not used again

    @property
    def share_bp(self) -> int:
        """The share of callers that may get Qwen now."""
        return 0 if self.standing is Standing.ROLLED_BACK else self.stage.share_bp

    @property
    def name(self) -> str:
        """Stage and standing, as people read it: `5%`, `5% held`, `rolled back`."""
        if self.standing is Standing.ROLLED_BACK:
            return self.standing.value
        return self.stage.value if self.standing is Standing.RUNNING else f"{self.stage.value} {self.standing.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """The rollouts of all operations: one state, changed as one."""

    version: int = 0  # counts the changes ever made
    of: Mapping[Operation, Rollout] = field(default_factory=dict)  # without one: not begun
