"""Who answers a request: kill switch, environment, flags and rollout in their order of power, as one pure decision.

Health is left to the router, which asks the breakers afterwards.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from harness.exchanges import Lane
from harness.flags.flagset import Flag, Mode
from harness.routing.breaker import Permit
from harness.routing.bucket import bucket_of, is_sampled
from harness.speech import Operation

__all__ = ["Because", "Ceiling", "CeilingSource", "Inputs", "Route", "assign", "share_bp"]


class Because(StrEnum):
    """What decided; goes into logs and headers."""

    KILLED = "killed"  # the kill switch
    FLAGS_UNUSABLE = "flags-unusable"  # legacy, since nobody can tell what was meant
    MODE = "mode"  # legacy or shadow, as set
    NO_ROLLOUT = "no-rollout"  # the rollout allows nobody: not begun, in shadow, rolled back or unreadable
    NO_UNIT = "no-unit"  # neither voice nor user to stick to
    OUTSIDE_SHARE = "outside-share"
    IN_SHARE = "in-share"
    RETIRED = "retired"  # there is no legacy any more
    CANDIDATE_DOWN = "candidate-down"  # its breaker is open
    PROBE = "probe"  # its breaker is half-open: the caller gets legacy, a copy finds out
    SPILL = "spill"  # legacy is down and the flag lets some get Qwen instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that the rollout allows an operation."""

    version: int  # of the rollout's state
    name: str  # the state in a word, for logs: "5%", "5% held", "rolled back"
    share_bp: int = 0
    copies: bool = False  # whether Qwen may get copies of what legacy answers, and the other way round
    retired: bool = False  # legacy is gone, only Qwen can answer


class CeilingSource(Protocol):
    """Somewhere the rollout's state is read; never raises and never waits."""

    def ceiling(self, operation: Operation) -> Ceiling:
        """What the rollout allows `operation` now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that decides about one request, read once so that it cannot change on the way."""

    killed: str | None  # by what
    flag: Flag  # from the environment, else the flags
    flag_version: str
    flag_problem: str | None
    salt: str
    ceiling: Ceiling
    unit: str | None  # see bucket.unit_of
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where one request goes."""

    lane: Lane  # who answers: control (legacy) or candidate (Qwen)
    fallback: Lane | None  # who answers if that fails before the first byte of audio
    copy_to: Lane | None  # who gets a copy once the caller has the answer
    because: Because
    mode: Mode
    share_bp: int  # of callers that get Qwen, kill switch, flags and rollout considered
    bucket: int | None  # None without a unit
    flag_version: str
    rollout_version: int
    permit: Permit | None = None  # of the lane's breaker; None once routed: nobody is up, answer 503
    copy_permit: Permit | None = None  # when the copy is a probe: hand it back with its outcome


def share_bp(killed: str | None, flag: Flag, ceiling: Ceiling) -> int:
    """The share of callers that get Qwen: nobody when killed, else the smaller of flag and rollout."""
    return 0 if killed else min(flag.live_bp, ceiling.share_bp)


def assign(inputs: Inputs) -> Route:
    """Who answers, who would stand in, and who gets a copy."""
    because = _because(inputs)
    lane = Lane.CANDIDATE if because in (Because.IN_SHARE, Because.RETIRED) else Lane.CONTROL
    other = Lane.CONTROL if lane is Lane.CANDIDATE else Lane.CANDIDATE
    alone = inputs.ceiling.retired
    return Route(
        lane=lane,
        # Legacy is never answered for by Qwen here: that would give it callers whom flag and rollout withhold.
        fallback=Lane.CONTROL if lane is Lane.CANDIDATE and not alone else None,
        copy_to=other if _is_copied(inputs) and not alone else None,
        because=because,
        mode=inputs.flag.mode,
        share_bp=share_bp(inputs.killed, inputs.flag, inputs.ceiling),
        bucket=None if inputs.unit is None else bucket_of(inputs.salt, inputs.unit),
        flag_version=inputs.flag_version,
        rollout_version=inputs.ceiling.version,
    )


def _because(inputs: Inputs) -> Because:
    """The first that decides, in the order of power."""
    if inputs.killed:
        return Because.KILLED
    if inputs.ceiling.retired:
        return Because.RETIRED
    if inputs.flag_problem:
        return Because.FLAGS_UNUSABLE
    if inputs.flag.mode in (Mode.LEGACY, Mode.SHADOW):
        return Because.MODE
    if not inputs.ceiling.share_bp:
        return Because.NO_ROLLOUT
    if inputs.unit is None:
        return Because.NO_UNIT
    share = share_bp(inputs.killed, inputs.flag, inputs.ceiling)
    return Because.IN_SHARE if bucket_of(inputs.salt, inputs.unit) < share else Because.OUTSIDE_SHARE


def _is_copied(inputs: Inputs) -> bool:
    flag = inputs.flag
    if inputs.killed or inputs.flag_problem or flag.mode is Mode.LEGACY or not inputs.ceiling.copies:
        return False
    return is_sampled(inputs.salt, inputs.request_id, flag.shadow_bp)
