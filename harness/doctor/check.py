"""One thing that the doctor looked at, and how it came out."""

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Check", "Mark"]


class Mark(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"
    SKIPPED = "skipped"


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    mark: Mark
    words: str  # what was found, and what to do about it
