"""What came of a check, and of all checks together. Fails closed: what nobody ran is never good."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from harness.errors import HarnessError
from harness.security.check import Check, Maps, Severity

__all__ = ["Evidence", "GateBroken", "Outcome", "Part", "Status", "exit_status", "outcome_of"]

_SHOWN: Final = 3  # reasons that one line holds; the evidence has the rest


class GateBroken(HarnessError):
    """The gate itself could not do its work, which says nothing about what it looks at."""

    exit_status = 3


class Status(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - a word, no password
    FAIL = "fail"
    NOT_RUN = "not_run"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A file that a check rests on, and what it held."""

    path: str  # of the checkout, or of the folder beside the record
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One scan or one test of a check."""

    status: Status
    how: str  # "scan secrets", or the node of a test
    reason: str = ""
    duration_s: float = 0.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A check that was asked for, and what came of it."""

    id: str
    title: str
    severity: Severity
    asserted: str
    status: Status
    reason: str
    command: str  # what runs this check alone
    duration_ms: int
    how: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()
    maps: Maps = field(default_factory=Maps)
    waiver: str | None = None  # its id, owner and end


def outcome_of(check: Check, parts: Sequence[Part]) -> Outcome:
    """A check by its parts: one that fails makes it fail, and one that was not run keeps it from passing."""
    status = _worst(parts)
    reasons = [part.reason for part in parts if part.status is status and part.reason]
    more = f" (and {len(reasons) - _SHOWN} more)" if len(reasons) > _SHOWN else ""
    return Outcome(
        id=check.id,
        title=check.title,
        severity=check.severity,
        asserted=check.asserted,
        status=status,
        reason="; ".join(reasons[:_SHOWN]) + more if parts else "nothing is run for it in this profile",
        command=f"cutover gate run --only {check.id}",
        duration_ms=round(1000 * sum(part.duration_s for part in parts)),
        how=tuple(part.how for part in parts),
        evidence=tuple(sorted({each for part in parts for each in part.evidence}, key=lambda each: each.path)),
        maps=check.maps,
    )


def _worst(parts: Sequence[Part]) -> Status:
    found = {part.status for part in parts}
    if not found:
        return Status.NOT_RUN
    return next(status for status in (Status.FAIL, Status.NOT_RUN, Status.PASS) if status in found)


def exit_status(outcomes: Iterable[Outcome], *, medium_failures: int) -> int:
    """0: passed. 1: something grave failed, or too much of medium severity. 2: something grave was not run."""
    kept = list(outcomes)
    failed = [each for each in kept if each.status is Status.FAIL]
    medium = sum(each.severity is Severity.MEDIUM for each in failed)
    if any(each.severity.decides for each in failed) or medium > medium_failures:
        return 1
    return 2 if not kept or any(each.status is Status.NOT_RUN and each.severity.decides for each in kept) else 0
