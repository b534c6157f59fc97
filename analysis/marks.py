"""Which pairs a gate calls bad on which side: the expressions that every count of it is made from.

Pooled counts, counts of a segment and counts of the self-test are all made from the same marks.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import polars as pl

from analysis.estimates import order_statistic
from analysis.gates import TIMINGS, Gate, PairedAny, PairedBand, PairedBinary, PairedExceed, PairedTail
from analysis.pairs import OUTCOME_CLASSES, bad, delivered, ended_as, heard, seconds, timed

__all__ = [
    "Conditions",
    "Marks",
    "condition_marks",
    "control_p95_s",
    "earliest_timed",
    "frozen_reference_s",
    "is_about_time",
    "is_relative",
    "marks_of",
]

Conditions = PairedExceed | PairedBand | PairedAny

# Pairs whose control sets the reference of a timing. Taken from the earliest, it stays the same from night to night
# while evidence is added, as a bet on a fixed threshold demands (verdicts.md 2.1).
_REFERENCE_PAIRS: Final = 500


class Marks(NamedTuple):
    """What one gate looks at in a frame of pairs."""

    candidate: pl.Expr  # the candidate is bad
    control: pl.Expr  # control is bad
    among: pl.Expr  # the pair counts
    margin: float  # how much more often the candidate may be bad; a share


def marks_of(gate: Gate, earliest: pl.DataFrame) -> Marks | None:
    """The marks of a gate that compares both sides pair by pair; None for any other.

    Args:
        gate: The rule.
        earliest: The pairs that references of timings are frozen on (`earliest_timed`).
    """
    match gate:
        case PairedBinary(margin_pp=float(margin_pp)):
            kinds = OUTCOME_CLASSES[gate.counts]
            return Marks(
                ended_as("candidate", kinds), ended_as("control", kinds), pl.repeat(True, pl.len()), margin_pp / 100.0
            )
        case PairedTail():
            return _tail_marks(gate, earliest)
        case PairedExceed() | PairedBand() | PairedAny():
            return condition_marks(gate, control_p95_s(gate, earliest))
    return None


@lru_cache(maxsize=256)  # the self-test asks for the same ones dozens of times
def condition_marks(gate: Conditions, p95_s: float | None, *, candidate: str = "candidate") -> Marks:
    """The marks of a gate on features.

    Where defects of all kinds add up, audio that was refused on arrival is one of them.

    Args:
        gate: The rule.
        p95_s: Control's frozen 95th percentile, where the gate is about a timing.
        candidate: The side in the candidate's place; `repeat` in noise pairs.
    """
    eligible = timed if is_about_time(gate) else delivered if isinstance(gate, PairedAny) else heard
    return Marks(
        pl.any_horizontal(bad(rule, candidate, against="control", control_p95_s=p95_s) for rule in gate.conditions),
        pl.any_horizontal(bad(rule, "control", against=None, control_p95_s=p95_s) for rule in gate.conditions),
        eligible("control", candidate),
        gate.margin_pp / 100.0,
    )


def is_about_time(gate: Conditions) -> bool:
    """It looks at a timing rather than at audio."""
    return gate.conditions[0].feature in TIMINGS


def is_relative(gate: Conditions) -> bool:
    """It measures the candidate by control's audio, so control cannot be bad by it and noise must be known apart."""
    return any(condition.ratio_low is not None for condition in gate.conditions)


def control_p95_s(gate: Conditions, earliest: pl.DataFrame) -> float | None:
    """Control's frozen 95th percentile of the gate's timing; None for audio, and without any finite time."""
    if not is_about_time(gate):
        return None
    return frozen_reference_s(earliest, gate.conditions[0].feature, 0.95)


def frozen_reference_s(earliest: pl.DataFrame, feature: str, quantile: float) -> float | None:
    """A quantile of control's times in the earliest pairs that were timed; None without any finite time."""
    times = earliest.select(time_s=seconds("control", feature))
    return order_statistic(times["time_s"].to_numpy(), quantile)


def earliest_timed(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs whose control sets the reference of a timing, in no order."""
    timed_pairs = pairs.lazy().with_row_index("place").filter(timed("control", "candidate"))
    order = ["control_sent_at", "capture_id"]
    places = timed_pairs.select("place", *order).bottom_k(_REFERENCE_PAIRS, by=order).collect()
    return pairs[places["place"]]


def _tail_marks(gate: PairedTail, earliest: pl.DataFrame) -> Marks:
    among = timed("control", "candidate")
    reference_s = frozen_reference_s(earliest, gate.feature, gate.quantile)
    limit_s = float("inf") if reference_s is None else reference_s
    return Marks(
        seconds("candidate", gate.feature) > gate.ratio_max * limit_s,
        seconds("control", gate.feature) > limit_s,
        among,
        0.0,
    )
