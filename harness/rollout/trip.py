"""What a trigger asks of the rollout, with its reason."""

from dataclasses import dataclass
from enum import StrEnum

from harness.speech import Operation

__all__ = ["Trip", "TripAction"]


class TripAction(StrEnum):
    """What should be done, from the gravest to the lightest."""

    ROLL_BACK = "roll back"
    FREEZE = "freeze"
    THAW = "thaw"
    HOLD = "hold"
    TICKET = "ticket"  # nothing moves; a person looks at it in office hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One trigger that fired, once."""

    trigger: str  # "errors", "openings", "burn 14.4x", "spend hour", …
    action: TripAction
    operation: Operation | None  # None: all of them
    reason: str  # with figures
    at_s: float  # seconds since 1970, UTC
    forced: bool = False  # rolls back even while legacy is sick: money is gone either way
