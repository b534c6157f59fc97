"""What people set for each operation, as one unchanging set with a version.

Where a flag comes from is another module's business; which request it sends where is the router's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, Self

from harness.speech import Operation

__all__ = ["ALL_BP", "LEGACY", "UNUSABLE", "Flag", "FlagSet", "FlagSource", "Mode"]

ALL_BP: Final = 10_000  # shares here are whole basis points, so that two of them compare exactly
UNUSABLE: Final = "unusable"  # the version of a set that nobody wrote


class Mode(StrEnum):
    """How far the candidate is let in."""

    LEGACY = "legacy"  # nothing goes to Qwen
    SHADOW = "shadow"  # callers get legacy, copies go to Qwen
    CANARY = "canary"  # a share of callers gets Qwen, the others may be shadowed
    QWEN = "qwen"  # everybody gets Qwen, as far as the rollout allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """What is set for one operation; the default is the safe one."""

    mode: Mode = Mode.LEGACY
    share_bp: int = 0  # canary: who gets Qwen, in basis points
    shadow_bp: int = 0  # of the requests, how many are copied to the other provider
    spill_bp: int = 0  # who may get Qwen while legacy is down, whatever the share

    @property
    def live_bp(self) -> int:
        """The share of callers that this flag alone would give to Qwen."""
        return {Mode.CANARY: self.share_bp, Mode.QWEN: ALL_BP}.get(self.mode, 0)


LEGACY: Final = Flag()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSet:
    """The flags of all operations at one moment; whoever serves a request reads one set and keeps to it."""

    version: str  # of the content: equal sets of one source have equal versions
    salt: str  # decides who is in which bucket; another salt moves everybody
    flags: Mapping[Operation, Flag] = field(default_factory=dict)
    problem: str | None = None  # why everything goes to legacy, where it was not meant to

    @classmethod
    def all_legacy(cls, problem: str) -> Self:
        """The safe set, for when the real one cannot be had: nothing goes to Qwen."""
        return cls(version=UNUSABLE, salt="", flags=MappingProxyType({}), problem=problem)

    def flag(self, operation: Operation) -> Flag:
        """What is set for `operation`; legacy where nothing is."""
        return self.flags.get(operation, LEGACY)


class FlagSource(Protocol):
    """Somewhere flags come from; never raises and never waits, since a request is waiting."""

    def current(self) -> FlagSet:
        """The flags in force now."""
        ...
