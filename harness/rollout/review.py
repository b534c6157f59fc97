"""What the evidence says should happen to a rollout now: go on, wait, or give ground. Pure; changes nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from harness.judgement import Decision, Verdict
from harness.rollout.evidence import Evidence
from harness.rollout.requirements import missing
from harness.rollout.stage import NEXT, Rollout, Stage, Standing

__all__ = ["DEADLINE", "Action", "Ruling", "review"]

# Evidence lives 45 days; a stage that has not gathered enough in a third of that wants a person's eye.
DEADLINE: Final = timedelta(days=14)


class Action(StrEnum):
    """What should happen."""

    PROMOTE = "promote"
    WAIT = "wait"
    HOLD = "hold"
    FREEZE = "freeze"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """An action and what speaks for it."""

    action: Action
    to: Stage | None  # the next stage, when promoted
    reasons: tuple[str, ...]


def review(rollout: Rollout, evidence: Evidence, now: datetime, *, deadline: timedelta = DEADLINE) -> Ruling:
    """What should happen to `rollout`, the gravest first: sick legacy, proven harm, figures that cannot be trusted."""
    if rollout.standing is Standing.ROLLED_BACK:
        return _ruling(Action.WAIT, "it is rolled back: a person starts it anew, with a new epoch")
    if rollout.stage is Stage.RETIRED:
        return _ruling(Action.WAIT, "legacy is retired: there is no further step")
    if evidence.legacy_healthy is False:
        return _ruling(Action.FREEZE, "legacy is sick: what leaves Qwen would land there")
    if evidence.epoch == rollout.epoch:
        alarming = _harm(rollout, evidence) or _untrustworthy(evidence)
        if alarming:
            return alarming
    shortfalls = missing(rollout, evidence, now)
    if not shortfalls and rollout.standing is Standing.FROZEN:
        return _ruling(Action.WAIT, "it is frozen: resume it first")
    if not shortfalls:
        return Ruling(action=Action.PROMOTE, to=NEXT[rollout.stage], reasons=("all evidence is there",))
    late = now - rollout.since > deadline
    return Ruling(action=Action.HOLD if late else Action.WAIT, to=None, reasons=tuple(shortfalls))


def _ruling(action: Action, reason: str) -> Ruling:
    return Ruling(action=action, to=None, reasons=(reason,))


def _verdicts(evidence: Evidence) -> list[Verdict]:
    verdicts = (evidence.verdict, evidence.live.verdict if evidence.live else None)
    return [verdict for verdict in verdicts if verdict is not None]


def _harm(rollout: Rollout, evidence: Evidence) -> Ruling | None:
    """A blocking gate that failed is proof; without callers on Qwen there is nothing to take back."""
    for verdict in _verdicts(evidence):
        if verdict.decision is Decision.NO_GO:
            return _ruling(Action.ROLL_BACK if rollout.share_bp else Action.HOLD, verdict.reason)
    return None


def _untrustworthy(evidence: Evidence) -> Ruling | None:
    for verdict in _verdicts(evidence):
        if verdict.decision is Decision.INVALID:
            return _ruling(Action.HOLD, verdict.reason)
    live = evidence.live
    if live and live.qwen_requests and live.cost_limit_usd is not None and live.cost_per_1k_upper_usd is None:
        return _ruling(Action.HOLD, "a price is unknown, so the cost is")
    return None
