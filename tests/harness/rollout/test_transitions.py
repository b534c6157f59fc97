from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.errors import UsageError
from harness.judgement import Decision
from harness.rollout.evidence import Evidence
from harness.rollout.requirements import missing
from harness.rollout.review import Action, review
from harness.rollout.stage import NEXT, Rollout, Stage, Standing
from harness.rollout.transitions import freeze, hold, promote, resume, roll_back, start, thaw
from tests.harness.rollout.a_rollout import NOON, a_rollout, a_verdict, full_evidence, full_live

STANDINGS = [Standing.RUNNING, Standing.HELD, Standing.FROZEN]


def test_a_rollout_begins_in_shadow() -> None:
    rollout = start(None, epoch="e1", now=NOON, why="go")

    assert (rollout.stage, rollout.standing, rollout.share_bp) == (Stage.SHADOW, Standing.RUNNING, 0)
    assert (rollout.started_at, rollout.since, rollout.reason) == (NOON, NOON, "go")


@pytest.mark.parametrize("standing", STANDINGS)
def test_what_is_under_way_cannot_be_started_over(standing: Standing) -> None:
    with pytest.raises(UsageError, match="under way"):
        start(a_rollout(Stage.C5, standing), epoch="e2", now=NOON, why="again")


def test_after_a_rollback_only_a_new_epoch_begins_anew() -> None:
    rolled_back = a_rollout(Stage.C5, Standing.ROLLED_BACK, tripped_at=NOON)

    again = start(rolled_back, epoch="e2", now=NOON, why="mended")

    assert (again.stage, again.epoch, again.tripped_at, again.spent_epochs) == (Stage.SHADOW, "e2", None, ("e1",))
    with pytest.raises(UsageError, match="e1 was rolled back"):
        start(rolled_back, epoch="e1", now=NOON, why="same again")
    twice = roll_back(again, now=NOON, why="no", forced=True)
    with pytest.raises(UsageError, match="e1 was rolled back"):
        start(twice, epoch="e1", now=NOON, why="the one before")


def test_a_rollout_needs_the_name_of_its_evidence() -> None:
    with pytest.raises(UsageError, match="needs an evidence epoch"):
        start(None, epoch="", now=NOON, why="go")


@pytest.mark.parametrize("stage", list(NEXT))
def test_evidence_takes_it_one_stage_further(stage: Stage) -> None:
    held = a_rollout(stage, Standing.HELD)

    promoted = promote(held, full_evidence(), now=NOON)

    assert (promoted.stage, promoted.standing, promoted.since) == (NEXT[stage], Standing.RUNNING, NOON)
    assert "anna" in promoted.reason


def test_a_refused_promotion_names_everything_that_is_missing() -> None:
    evidence = full_evidence(pairs=3, approved_by=None)

    with pytest.raises(UsageError, match="nobody approved it by name; 3 distinct pairs of 500"):
        promote(a_rollout(), evidence, now=NOON)


@pytest.mark.parametrize("stage", [*NEXT, Stage.RETIRED])
@pytest.mark.parametrize("standing", STANDINGS)
def test_a_person_can_roll_back_from_everywhere(stage: Stage, standing: Standing) -> None:
    rollout = roll_back(a_rollout(stage, standing), now=NOON, why="I say so", forced=True)

    assert (rollout.standing, rollout.share_bp, rollout.stage) == (Standing.ROLLED_BACK, 0, stage)
    assert (rollout.reason, rollout.tripped_at, rollout.since) == ("I say so", NOON, NOON)


@pytest.mark.parametrize(
    "rollout",
    [
        pytest.param(a_rollout(Stage.C25, Standing.FROZEN), id="legacy is sick"),
        pytest.param(a_rollout(Stage.RETIRED), id="legacy is gone"),
    ],
)
def test_a_trip_does_not_pour_callers_on_a_legacy_that_cannot_answer(rollout: Rollout) -> None:
    waiting = roll_back(rollout, now=NOON, why="errors", forced=False)
    later = roll_back(waiting, now=NOON + timedelta(hours=1), why="more errors", forced=False)

    assert (waiting.share_bp, waiting.pending, waiting.tripped_at) == (rollout.share_bp, "errors", NOON)
    assert later == waiting


def test_a_trip_that_waited_is_carried_out_when_legacy_is_well_again() -> None:
    waiting = roll_back(a_rollout(Stage.C25, Standing.FROZEN), now=NOON, why="errors", forced=False)

    thawed = thaw(waiting, now=NOON, why="well again")

    assert (thawed.standing, thawed.reason, thawed.pending) == (Standing.ROLLED_BACK, "errors", None)


def test_what_was_frozen_without_a_trip_holds() -> None:
    thawed = thaw(a_rollout(Stage.C25, Standing.FROZEN), now=NOON, why="well again")

    assert (thawed.standing, thawed.share_bp, thawed.reason) == (Standing.HELD, 2_500, "well again")


@pytest.mark.parametrize(
    ("step", "rollout"),
    [
        pytest.param(lambda r: hold(r, why="w"), a_rollout(Stage.C5, Standing.FROZEN), id="hold what is frozen"),
        pytest.param(lambda r: hold(r, why="w"), a_rollout(Stage.C5, Standing.ROLLED_BACK), id="hold rolled back"),
        pytest.param(lambda r: freeze(r, why="w"), a_rollout(Stage.C5, Standing.ROLLED_BACK), id="freeze rolled back"),
        pytest.param(lambda r: freeze(r, why="w"), a_rollout(Stage.C5, Standing.FROZEN), id="freeze what is frozen"),
        pytest.param(lambda r: freeze(r, why="w"), a_rollout(Stage.RETIRED), id="freeze without legacy"),
        pytest.param(lambda r: thaw(r, now=NOON, why="w"), a_rollout(Stage.C5), id="thaw what runs"),
        pytest.param(
            lambda r: roll_back(r, now=NOON, why="w", forced=True),
            a_rollout(Stage.C5, Standing.ROLLED_BACK),
            id="roll back twice",
        ),
    ],
)
def test_what_changes_nothing_gives_back_the_same(step: Callable[[Rollout], Rollout], rollout: Rollout) -> None:
    assert step(rollout) is rollout


def test_resuming_lets_it_go_on_but_never_undoes_a_rollback() -> None:
    assert resume(a_rollout(Stage.C5, Standing.HELD), now=NOON, why="w").standing is Standing.RUNNING
    assert resume(a_rollout(Stage.C5, Standing.FROZEN), now=NOON, why="w").standing is Standing.HELD
    with pytest.raises(UsageError, match="new epoch"):
        resume(a_rollout(Stage.C5, Standing.ROLLED_BACK), now=NOON, why="w")


# Every field of the evidence, as it should be and in some way that it should not.
def _evidence() -> st.SearchStrategy[Evidence]:
    good = full_evidence()
    worse: dict[str, list[Any]] = {
        "epoch": ["e0", "e2", "e3"],
        "legacy_healthy": [None, False],
        "verdict": [None, a_verdict(Decision.NO_GO), a_verdict(Decision.INCONCLUSIVE), a_verdict(Decision.INVALID)],
        "pairs": [0],
        "noise_healthy": [None],
        "rollback_drill": [None],
        "approved_by": [None],
        "spend_cap_set": [False],
        "live": [None, full_live(verdict=None), full_live(cost_per_1k_upper_usd=None), full_live(qwen_requests=10)],
        "signed_by": [None],
    }
    flawed = st.sampled_from([(name, value) for name, values in worse.items() for value in values])
    return st.lists(flawed, max_size=2).map(lambda flaws: replace(good, **dict(flaws)))


class RolloutMachine(RuleBasedStateMachine):
    """People, triggers and reviews in any order; the model is what may never happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.rollout: Rollout
        self.epochs = 1
        self.ended: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.rollout = start(None, epoch="e1", now=self.now, why="go")

    def apply(self, step: Callable[[], Rollout]) -> None:
        before = self.rollout
        try:
            self.rollout = step()
        except UsageError:
            self.rollout = before
        if self.rollout.standing is Standing.ROLLED_BACK:
            self.ended.add(self.rollout.epoch)

    @rule(hours=st.integers(0, 24 * 15))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(evidence=_evidence(), fresh=st.booleans())
    def somebody_promotes(self, evidence: Evidence, fresh: bool) -> None:
        if fresh and evidence.rollback_drill and evidence.load_drill:
            evidence = replace(
                evidence,
                rollback_drill=replace(evidence.rollback_drill, at=self.now),
                load_drill=replace(evidence.load_drill, at=self.now),
            )
        if evidence.epoch == "e1":
            evidence = replace(evidence, epoch=self.rollout.epoch)
        before, shortfalls = self.rollout, missing_or_nothing(self.rollout, evidence, self.now)

        self.apply(lambda: promote(before, evidence, now=self.now))

        if self.rollout is not before:
            assert shortfalls == []
            assert review(before, evidence, self.now).action is Action.PROMOTE
            assert self.rollout.stage is NEXT[before.stage]

    @rule()
    def everything_speaks_for_it(self) -> None:
        self.now += timedelta(days=20)
        before, drill = self.rollout, full_evidence().rollback_drill
        fresh = replace(drill, at=self.now) if drill else None
        evidence = full_evidence(epoch=before.epoch, rollback_drill=fresh, load_drill=fresh)

        self.apply(lambda: promote(before, evidence, now=self.now))

        moves = before.standing in (Standing.RUNNING, Standing.HELD) and not before.pending
        assert (self.rollout is not before) == (moves and before.stage in NEXT)

    @rule(forced=st.booleans())
    def something_trips(self, forced: bool) -> None:
        before = self.rollout
        self.apply(lambda: roll_back(before, now=self.now, why="tripped", forced=forced))
        assert self.rollout.share_bp == 0 or self.rollout.pending

    @rule()
    def somebody_holds(self) -> None:
        self._keeps_its_share(lambda: hold(self.rollout, why="held"))

    @rule()
    def legacy_falls_sick(self) -> None:
        self._keeps_its_share(lambda: freeze(self.rollout, why="sick"))

    @rule()
    def legacy_recovers(self) -> None:
        self._never_grows(lambda: thaw(self.rollout, now=self.now, why="well"))

    @rule()
    def somebody_resumes(self) -> None:
        self._never_grows(lambda: resume(self.rollout, now=self.now, why="resumed"))

    @rule(epoch=st.sampled_from(["e1", "e2", "e3", "e4"]))
    def somebody_starts_anew(self, epoch: str) -> None:
        before = self.rollout
        self.apply(lambda: start(before, epoch=epoch, now=self.now, why="anew"))
        if self.rollout is not before:
            assert before.standing is Standing.ROLLED_BACK
            assert epoch not in self.ended
            assert self.rollout.share_bp == 0

    @precondition(lambda self: self.rollout.standing is Standing.ROLLED_BACK)
    @rule(evidence=_evidence())
    def nothing_but_a_start_ends_a_rollback(self, evidence: Evidence) -> None:
        before = self.rollout
        evidence = replace(evidence, epoch=before.epoch)
        for step in (
            lambda: promote(before, evidence, now=self.now),
            lambda: resume(before, now=self.now, why="w"),
            lambda: thaw(before, now=self.now, why="w"),
            lambda: hold(before, why="w"),
            lambda: freeze(before, why="w"),
        ):
            self.apply(step)
            assert self.rollout is before

    def _keeps_its_share(self, step: Callable[[], Rollout]) -> None:
        before = self.rollout
        self.apply(step)
        assert self.rollout.share_bp == before.share_bp
        assert self.rollout.stage is before.stage

    def _never_grows(self, step: Callable[[], Rollout]) -> None:
        before = self.rollout
        self.apply(step)
        assert self.rollout.share_bp <= before.share_bp

    @invariant()
    def its_times_are_in_order(self) -> None:
        assert self.rollout.started_at <= self.rollout.since <= self.now


def missing_or_nothing(rollout: Rollout, evidence: Evidence, now: Any) -> list[str]:
    return missing(rollout, evidence, now) if rollout.stage in NEXT else ["there is no next stage"]


TestRollout = RolloutMachine.TestCase
TestRollout.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
