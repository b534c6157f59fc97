"""What makes one side of a pair bad: outcomes, timings and features as expressions over a frame of pairs.

A side is the prefix of its columns: `control`, `candidate`, in noise pairs `repeat`. What the pairs prove is not
decided here.
"""

from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.gates import TIMINGS, Condition
from harness.errors import KINDS, ErrorKind
from harness.exchanges import OK

__all__ = [
    "NO_ANSWER",
    "OUTCOME_CLASSES",
    "Counts",
    "Flags",
    "answered",
    "bad",
    "count_pairs",
    "delivered",
    "ended_as",
    "flags_of",
    "heard",
    "is_sent",
    "lost",
    "seconds",
    "spoiled",
    "timed",
    "unmeasured",
    "unusable",
]

BoolArray = NDArray[np.bool_]

_TIMEOUTS: Final = (ErrorKind.TIMEOUT_CONNECT, ErrorKind.TIMEOUT_READ, ErrorKind.TIMEOUT_TOTAL)

_AUDIO_FAILURES: Final = (ErrorKind.BAD_AUDIO, ErrorKind.EMPTY_AUDIO, ErrorKind.TRUNCATED_AUDIO)

# Says nothing about the provider: never sent, stopped by us, or refused for our own account's sake.
NO_ANSWER: Final = (
    ErrorKind.AUTH,
    ErrorKind.QUOTA,
    ErrorKind.BILLING,
    ErrorKind.BUDGET,
    ErrorKind.CANCELLED,
    ErrorKind.INTERNAL,
)
_ERRORS: Final = tuple(kind for kind, facts in KINDS.items() if facts.blames_provider)
_RATE_LIMITED: Final = (ErrorKind.RATE_LIMITED,)
_UNKNOWN: Final = (ErrorKind.UNKNOWN_OUTCOME,)

# What a `paired_binary` gate may count. A refusal is nobody's fault and still a request the caller gets no audio for;
# errors, refusals, rate_limited and NO_ANSWER hold every kind of failure exactly once.
OUTCOME_CLASSES: Final = MappingProxyType(
    {
        "errors": _ERRORS,
        "timeouts": _TIMEOUTS,
        "refusals": tuple(kind for kind in KINDS if kind not in (*_ERRORS, *_RATE_LIMITED, *NO_ANSWER)),
        "rate_limited": _RATE_LIMITED,
    }
)


class Counts(NamedTuple):
    """What a paired gate rests on."""

    pairs: int
    candidate_only: int  # pairs where only the candidate was bad
    control_only: int
    both: int

    @property
    def candidate_bad(self) -> int:
        """Pairs where the candidate was bad."""
        return self.candidate_only + self.both


class Flags(NamedTuple):
    """What a paired gate sees in each pair, in their order."""

    among: BoolArray  # it counts
    candidate: BoolArray  # the candidate, or control's repeat, was bad; where it cannot be told it was
    control: BoolArray

    @property
    def worse(self) -> BoolArray:
        """Pairs where only the candidate was bad."""
        return self.among & self.candidate & ~self.control

    @property
    def better(self) -> BoolArray:
        """Pairs where only control was bad."""
        return self.among & self.control & ~self.candidate

    @property
    def counts(self) -> Counts:
        """How often only one side was bad, and how often both."""
        parts = (self.among, self.worse, self.better, self.among & self.candidate & self.control)
        return Counts(*(int(np.count_nonzero(part)) for part in parts))


@cache  # of a list, polars takes longer to put the expression together than to work it out on thousands of pairs
def ended_as(side: str, kinds: tuple[ErrorKind, ...]) -> pl.Expr:
    """The side failed in one of these ways."""
    return pl.col(f"{side}_outcome").is_in([kind.value for kind in kinds])


def is_sent(side: str) -> pl.Expr:
    """Something went out to the provider: what was planned and held back proves nothing missing."""
    return (pl.col(f"{side}_attempts") > 0).fill_null(value=False) | answered(side)


def answered(side: str) -> pl.Expr:
    """The side has a final outcome that is the provider's: audio, error, refusal or rate limit."""
    return pl.col(f"{side}_outcome").is_not_null() & ~ended_as(side, NO_ANSWER) & ~lost(side)


def lost(side: str) -> pl.Expr:
    """Our own run was killed while the side was under way, so nobody saw how it ended or how long it took."""
    return ended_as(side, _UNKNOWN) & pl.col(f"{side}_service_s").is_null()


def heard(*sides: str) -> pl.Expr:
    """Every side delivered audio: what the gates about audio look at."""
    return pl.all_horizontal(pl.col(f"{side}_outcome") == OK for side in sides)


def delivered(*sides: str) -> pl.Expr:
    """Every side delivered something as audio, even if it was found silent, broken or cut off on arrival."""
    return pl.all_horizontal((pl.col(f"{side}_outcome") == OK) | ended_as(side, _AUDIO_FAILURES) for side in sides)


def timed(*sides: str) -> pl.Expr:
    """Every side delivered audio or timed out: what the gates about time look at.

    Other failures belong to the error gate alone (verdicts.md, correction 4).
    """
    return pl.all_horizontal((pl.col(f"{side}_outcome") == OK) | ended_as(side, _TIMEOUTS) for side in sides)


def seconds(side: str, feature: str) -> pl.Expr:
    """A timing; infinite for a timeout and where it was not taken, so that nothing missing looks fast."""
    value = pl.when(ended_as(side, _TIMEOUTS)).then(None).otherwise(pl.col(f"{side}_{feature}"))
    return value.fill_nan(None).fill_null(float("inf"))


def unmeasured(side: str, feature: str) -> pl.Expr:
    """We have no figure because we took none: the audio has no features, or the call no such timing."""
    figure = f"{side}_{feature}" if feature in TIMINGS else f"{side}_audio_outcome"
    return (pl.col(f"{side}_outcome") == OK) & pl.col(figure).is_null()


def spoiled(side: str) -> pl.Expr:
    """Audio came, was looked at, and is silent or does not decode."""
    return ((pl.col(f"{side}_outcome") == OK) & (pl.col(f"{side}_audio_outcome") != OK)).fill_null(value=False)


def unusable(side: str, feature: str) -> pl.Expr:
    """The audio is silent, does not decode, or lacks the feature."""
    value = pl.col(f"{side}_{feature}")
    return pl.col(f"{side}_audio_outcome").ne_missing(OK) | value.is_null() | value.is_nan().fill_null(value=True)


def bad(condition: Condition, side: str, *, against: str | None, control_p95_s: float | None = None) -> pl.Expr:
    """The side meets the condition.

    Args:
        condition: The limit.
        side: Whose audio or time is looked at.
        against: The side a band compares with; None when `side` is itself the measure, so that no ratio can be bad.
        control_p95_s: Control's frozen 95th percentile, for a limit that is a multiple of it.
    """
    if condition.feature in TIMINGS:
        return _beyond(condition, seconds(side, condition.feature), control_p95_s)
    value = pl.col(f"{side}_{condition.feature}")
    broken = unusable(side, condition.feature)
    if condition.ratio_low is None or condition.ratio_high is None:
        return broken | _beyond(condition, value, control_p95_s)
    if against is None:
        return broken
    measure = pl.col(f"{against}_{condition.feature}")
    outside = (value < condition.ratio_low * measure) | (value > condition.ratio_high * measure)
    return broken | (~unusable(against, condition.feature) & outside)


def _beyond(condition: Condition, value: pl.Expr, control_p95_s: float | None) -> pl.Expr:
    if condition.below is not None:
        return value < condition.below
    if condition.limit_of_control_p95 is not None:
        # Without any finite time of control nothing is slow by this measure: other gates say what is wrong.
        limit = float("inf") if control_p95_s is None else condition.limit_of_control_p95 * control_p95_s
        return value > limit
    return value > condition.above


def count_pairs(
    pairs: pl.DataFrame, candidate_bad: pl.Expr, control_bad: pl.Expr, *, among: pl.Expr | None = None
) -> Counts:
    """How often only one side was bad, and how often both; the arguments are those of `flags_of`."""
    return flags_of(pairs, candidate_bad, control_bad, among=among).counts


def flags_of(
    pairs: pl.DataFrame, candidate_bad: pl.Expr, control_bad: pl.Expr, *, among: pl.Expr | None = None
) -> Flags:
    """What a gate sees in each pair.

    Args:
        pairs: One row a pair.
        candidate_bad: The candidate, or control's repeat, was bad; where it cannot be told it was.
        control_bad: Control was bad.
        among: Which pairs count; None for all.
    """
    counted = pl.repeat(True, pl.len()) if among is None else among.fill_null(value=False)
    candidate, control = candidate_bad.fill_null(value=True), control_bad.fill_null(value=True)
    # Each worked out once and summed by numpy: within one query it would be worked out for every sum it is in.
    flags = pairs.select(among=counted, candidate=candidate, control=control)
    return Flags(*(flags[name].to_numpy() for name in Flags._fields))
