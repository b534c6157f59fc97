from datetime import timedelta

import pytest

from harness.judgement import Decision
from harness.rollout.review import DEADLINE, Action, review
from harness.rollout.stage import NEXT, Rollout, Stage, Standing
from tests.harness.rollout.a_rollout import NOON, a_rollout, a_verdict, full_evidence, full_live


@pytest.mark.parametrize("stage", list(NEXT))
@pytest.mark.parametrize("standing", [Standing.RUNNING, Standing.HELD])
def test_full_evidence_promotes_by_one_step(stage: Stage, standing: Standing) -> None:
    ruling = review(a_rollout(stage, standing), full_evidence(), NOON)

    assert (ruling.action, ruling.to) == (Action.PROMOTE, NEXT[stage])


@pytest.mark.parametrize(
    ("rollout", "word"),
    [
        pytest.param(a_rollout(Stage.C5, Standing.ROLLED_BACK), "rolled back", id="rolled back"),
        pytest.param(a_rollout(Stage.RETIRED), "retired", id="retired"),
        pytest.param(a_rollout(Stage.C5, Standing.FROZEN), "frozen", id="frozen"),
    ],
)
def test_no_evidence_promotes_what_may_not_move(rollout: Rollout, word: str) -> None:
    ruling = review(rollout, full_evidence(), NOON)

    assert (ruling.action, ruling.to) == (Action.WAIT, None)
    assert word in ruling.reasons[0]


def test_sick_legacy_freezes_before_anything_else_counts() -> None:
    evidence = full_evidence(legacy_healthy=False, verdict=a_verdict(Decision.NO_GO))

    assert review(a_rollout(Stage.C25), evidence, NOON).action is Action.FREEZE


@pytest.mark.parametrize("where", ["pairs", "live"])
def test_a_gate_that_failed_takes_callers_back_and_holds_where_there_are_none(where: str) -> None:
    failed = a_verdict(Decision.NO_GO)
    evidence = full_evidence(verdict=failed) if where == "pairs" else full_evidence(live=full_live(verdict=failed))

    live, shadow = review(a_rollout(Stage.C1), evidence, NOON), review(a_rollout(Stage.SHADOW), evidence, NOON)

    assert (live.action, live.reasons) == (Action.ROLL_BACK, ("it is no-go",))
    assert shadow.action is Action.HOLD


def test_figures_that_cannot_be_trusted_hold() -> None:
    evidence = full_evidence(verdict=a_verdict(Decision.INVALID))

    assert review(a_rollout(Stage.C5), evidence, NOON).action is Action.HOLD


@pytest.mark.parametrize("stage", [Stage.C1, Stage.C50])
def test_an_unknown_price_holds_in_every_live_stage(stage: Stage) -> None:
    evidence = full_evidence(live=full_live(cost_per_1k_upper_usd=None))

    assert review(a_rollout(stage), evidence, NOON).action is Action.HOLD


def test_too_little_evidence_waits_until_the_deadline_and_then_holds() -> None:
    evidence = full_evidence(verdict=a_verdict(Decision.INCONCLUSIVE))
    in_time = a_rollout(Stage.C5, since=NOON - DEADLINE)
    late = a_rollout(Stage.C5, since=NOON - DEADLINE - timedelta(seconds=1))

    assert review(in_time, evidence, NOON).action is Action.WAIT
    assert review(late, evidence, NOON).action is Action.HOLD
    assert review(late, evidence, NOON, deadline=timedelta(days=30)).action is Action.WAIT
    assert "inconclusive" in review(late, evidence, NOON).reasons[0]


def test_evidence_of_another_epoch_neither_promotes_nor_rolls_back() -> None:
    evidence = full_evidence(epoch="e0", verdict=a_verdict(Decision.NO_GO))

    ruling = review(a_rollout(Stage.C5, since=NOON), evidence, NOON)

    assert ruling.action is Action.WAIT
    assert "epoch e0" in ruling.reasons[0]
