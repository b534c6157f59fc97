"""The language of comparison: gates, findings and verdicts, and which of them wins.

How an interval or an e-value is made is the business of `analysis`; the live rollout speaks the same words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.speech import Operation

__all__ = [
    "Decision",
    "Finding",
    "Forecast",
    "Interval",
    "Outcome",
    "Verdict",
    "decision_of",
    "worst",
]


class Outcome(StrEnum):
    """What one gate found."""

    PASS = "pass"  # noqa: S105 - a judgement, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


class Decision(StrEnum):
    """What all gates together mean."""

    GO = "go"
    NO_GO = "no-go"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"

    @property
    def exit_status(self) -> int:
        """0 go, 1 no-go, 3 inconclusive, 4 invalid (design.md 6)."""
        return {"go": 0, "no-go": 1, "inconclusive": 3, "invalid": 4}[self.value]


# From best to worst. An invalid gate outranks a failed one: figures that cannot be trusted prove nothing.
_SEVERITY = {
    Outcome.PASS: (0, Decision.GO),
    Outcome.INCONCLUSIVE: (1, Decision.INCONCLUSIVE),
    Outcome.FAIL: (2, Decision.NO_GO),
    Outcome.INVALID: (3, Decision.INVALID),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and the range it may lie in, at `level` confidence; None where it has no end."""

    estimate: float | None
    low: float | None
    high: float | None
    level: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What an inconclusive gate still needs."""

    pairs_low: int | None  # about this many more pairs …
    pairs_high: int | None  # … up to this many; None: will not pass at this rate
    text: str
    usd_low: float | None = None  # what these pairs cost at the present price; None: not known
    usd_high: float | None = None
    nights_low: int | None = None  # and how long they take at the present pace
    nights_high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one gate for one operation, with its reason in words."""

    gate: str  # the name in thresholds.toml
    operation: Operation
    outcome: Outcome
    blocking: bool  # an advisory finding is shown and never votes
    interval: Interval
    limit: float | None  # in the same unit as the interval
    unit: str  # how the numbers read: "pp", "ratio", "s", "usd_per_1k_chars", …
    counts: Mapping[str, int]  # what it rests on: pairs, candidate_only, control_only, …
    reason: str  # one sentence a decision-maker understands
    segment: str | None = None  # "language=ja"; None: all pairs of the operation
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All findings of one operation, or of all operations when `operation` is None."""

    operation: Operation | None
    decision: Decision
    reason: str  # the deciding finding's words
    findings: tuple[Finding, ...] = field(default=())


def worst(findings: Iterable[Finding]) -> Finding | None:
    """The blocking finding that decides: the worst outcome, the first of equals; None without any."""
    blocking = [finding for finding in findings if finding.blocking]
    return max(blocking, key=lambda finding: _SEVERITY[finding.outcome][0], default=None)


def decision_of(outcome: Outcome) -> Decision:
    """The decision that an outcome leads to when it is the worst."""
    return _SEVERITY[outcome][1]
