"""One answered request of the live path, as the triggers see it, and its line in the spool.

Ids, texts and callers stay out: these lines are counted, never looked up.
"""

import json
import math
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.routing.breakers import BreakerChange
from harness.speech import Operation

__all__ = ["AudioTrouble", "LiveOutcome", "from_line", "to_line"]


class AudioTrouble(StrEnum):
    """What is wrong with speech that arrived as it should."""

    EMPTY = "empty"
    SILENT = "silent"
    CLIPPED = "clipped"
    ABSURD_DURATION = "absurd-duration"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOutcome:
    """What became of one call to one provider for a real caller."""

    at_s: float  # seconds since 1970, UTC, when it ended
    process: str  # which worker: openings are counted for each
    operation: Operation
    lane: Lane  # control or candidate
    kind: ErrorKind | None = None  # why it failed; None for speech
    slow: bool | None = None  # above the frozen p95; None where nobody knows
    caller_failed: bool | None = None  # whether the caller ended without speech, fallback included; None: no caller
    microusd: int | None = None  # what it cost; None: unknown
    chars: int = 0  # billed characters
    troubles: tuple[AudioTrouble, ...] | None = None  # None: the audio was not looked at
    change: BreakerChange | None = None  # what it did to the breaker of its process


def to_line(outcome: LiveOutcome) -> bytes:
    """The outcome as a line, ending included."""
    fields = (
        outcome.at_s,
        outcome.process,
        outcome.operation,
        outcome.lane,
        outcome.kind,
        outcome.slow,
        outcome.caller_failed,
        outcome.microusd,
        outcome.chars,
        outcome.troubles,
        outcome.change,
    )
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> LiveOutcome:
    """The outcome in a line.

    Raises:
        ValueError: It is none, as a torn line is not.
    """
    try:
        at_s, process, operation, lane, kind, slow, caller_failed, microusd, chars, troubles, change = json.loads(line)
        if not math.isfinite(at_s):
            raise ValueError
        return LiveOutcome(
            at_s=float(at_s),
            process=str(process),
            operation=Operation(operation),
            lane=Lane(lane),
            kind=None if kind is None else ErrorKind(kind),
            slow=slow,
            caller_failed=caller_failed,
            microusd=microusd,
            chars=int(chars),
            troubles=None if troubles is None else tuple(AudioTrouble(each) for each in troubles),
            change=None if change is None else BreakerChange(change),
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("no outcome in this line") from error
