"""Every way from one state of a rollout to another. Pure; only `promote` and nothing else makes a share larger."""

from dataclasses import replace
from datetime import datetime, timedelta

from harness.errors import UsageError
from harness.rollout.evidence import Evidence
from harness.rollout.review import DEADLINE, Action, review
from harness.rollout.stage import Rollout, Stage, Standing

__all__ = ["freeze", "hold", "promote", "resume", "roll_back", "start", "thaw"]


def start(rollout: Rollout | None, *, epoch: str, now: datetime, why: str) -> Rollout:
    """Begin in SHADOW: the first time, or anew after a rollback.

    Raises:
        UsageError: It is under way, or the epoch was rolled back before: its evidence is used up.
    """
    if not epoch:
        raise UsageError("a rollout needs an evidence epoch; `cutover verdict --json` prints it")
    if rollout is not None and rollout.standing is not Standing.ROLLED_BACK:
        raise UsageError(f"the rollout is under way ({rollout.name}); roll it back before starting anew")
    spent = () if rollout is None else (*rollout.spent_epochs, rollout.epoch)
    if epoch in spent:
        raise UsageError(
            f"epoch {epoch} was rolled back; mend what failed, and gather evidence with new thresholds or models"
        )
    return Rollout(
        stage=Stage.SHADOW,
        standing=Standing.RUNNING,
        epoch=epoch,
        started_at=now,
        since=now,
        reason=why,
        spent_epochs=spent,
    )


def promote(rollout: Rollout, evidence: Evidence, *, now: datetime, deadline: timedelta = DEADLINE) -> Rollout:
    """The next stage.

    Raises:
        UsageError: The evidence does not carry it; names everything that is missing.
    """
    ruling = review(rollout, evidence, now, deadline=deadline)
    if ruling.action is not Action.PROMOTE or ruling.to is None:
        raise UsageError(f"{rollout.name} is not left: {'; '.join(ruling.reasons)}")
    reason = f"promoted from {rollout.stage}, approved by {evidence.approved_by}"
    return replace(rollout, stage=ruling.to, standing=Standing.RUNNING, since=now, reason=reason)


def hold(rollout: Rollout, *, why: str) -> Rollout:
    """Stay at this share; unchanged where it cannot grow anyway."""
    if rollout.standing is not Standing.RUNNING:
        return rollout
    return replace(rollout, standing=Standing.HELD, reason=why)


def resume(rollout: Rollout, *, now: datetime, why: str) -> Rollout:
    """Let a held or frozen rollout go on.

    Raises:
        UsageError: It was rolled back, which only a start with a new epoch ends.
    """
    if rollout.standing is Standing.ROLLED_BACK:
        raise UsageError("it is rolled back; start it anew with a new epoch")
    if rollout.standing is Standing.FROZEN:
        return thaw(rollout, now=now, why=why)
    return replace(rollout, standing=Standing.RUNNING, reason=why)


def freeze(rollout: Rollout, *, why: str) -> Rollout:
    """Legacy is sick: no share changes. Unchanged once rolled back or retired."""
    if rollout.standing in (Standing.ROLLED_BACK, Standing.FROZEN) or rollout.stage is Stage.RETIRED:
        return rollout
    return replace(rollout, standing=Standing.FROZEN, reason=why)


def thaw(rollout: Rollout, *, now: datetime, why: str) -> Rollout:
    """Legacy is well again: carry out the trip that waited, else hold until there is evidence."""
    if rollout.standing is not Standing.FROZEN:
        return rollout
    if rollout.pending:
        return roll_back(rollout, now=now, why=rollout.pending, forced=True)
    return replace(rollout, standing=Standing.HELD, reason=why)


def roll_back(rollout: Rollout, *, now: datetime, why: str, forced: bool) -> Rollout:
    """Nobody gets Qwen any more, until a person starts anew.

    Args:
        rollout: Where it stands; unchanged when it is rolled back already.
        now: The time.
        why: What tripped, with its figures.
        forced: By a person, or by money: takes effect even while legacy is sick or gone. Any other trip then waits,
            since it would send callers to a provider that cannot answer.
    """
    if rollout.standing is Standing.ROLLED_BACK:
        return rollout
    if not forced and (rollout.standing is Standing.FROZEN or rollout.stage is Stage.RETIRED):
        return rollout if rollout.pending else replace(rollout, pending=why, tripped_at=now)
    return replace(rollout, standing=Standing.ROLLED_BACK, since=now, reason=why, tripped_at=now, pending=None)
