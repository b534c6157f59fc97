from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.config import Settings
from harness.errors import StoreError
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.evidence import Drill, Evidence
from harness.rollout.gathering import Words, gather
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.places import drills_file
from harness.rollout.review import Action, review
from harness.rollout.rules import load_rules
from harness.rollout.stage import Rollout, Stage
from harness.speech import Operation
from tests.harness.rollout.a_rollout import NOON, a_rollout, an_outcome
from tests.harness.rollout.judged import a_judged_run
from tests.harness.security.a_gate import a_gate_that_passed

GENERATE = Operation.GENERATE
EPOCH = "e1" * 32
CAPPED = replace(load_rules(), spend=replace(load_rules().spend, hour_usd=5.0, day_usd=50.0))
WORDS = Words(approved_by="anna", legacy_healthy=True)


def gathered(home: Path, rollout: Rollout, *outcomes: LiveOutcome, words: Words = WORDS) -> Evidence:
    return gather(
        Settings(home=home), GENERATE, rollout, outcomes=outcomes, rules=CAPPED, words=words, clock=FakeClock(NOON)
    )


def test_nothing_known_is_no_evidence(tmp_path: Path) -> None:
    evidence = gathered(tmp_path, a_rollout(), words=Words())

    assert evidence.verdict is None
    assert evidence.completeness is None
    assert evidence.rollback_drill is None
    assert evidence.live is None
    assert evidence.security_gate is None
    ruling = review(a_rollout(), evidence, NOON)
    assert ruling.action is not Action.PROMOTE
    assert len(ruling.reasons) > 6


def test_enough_of_everything_carries_the_first_step(tmp_path: Path) -> None:
    a_judged_run(tmp_path, captures=520, epoch=EPOCH)
    drill = Drill(at=NOON - timedelta(hours=1), passed=True, detail="fine")
    DrillBook(drills_file(tmp_path), clock=FakeClock()).add(DrillKind.ROLLBACK, drill, who="anna")
    a_gate_that_passed(tmp_path, ended=NOON)
    rollout = a_rollout(epoch=EPOCH)

    evidence = gathered(tmp_path, rollout)

    assert (evidence.pairs, evidence.completeness, evidence.noise_healthy) == (520, 1.0, True)
    assert evidence.spend_cap_set
    ruling = review(rollout, evidence, NOON)
    assert (ruling.action, ruling.to, ruling.reasons) == (Action.PROMOTE, Stage.C1, ("all evidence is there",))


def test_evidence_of_another_epoch_is_named_as_such(tmp_path: Path) -> None:
    a_judged_run(tmp_path, captures=2, epoch="other")
    rollout = a_rollout(epoch=EPOCH)

    evidence = gathered(tmp_path, rollout)

    assert evidence.epoch == "other"
    assert any("of epoch other" in reason for reason in review(rollout, evidence, NOON).reasons)


def test_a_night_with_noise_and_a_day_of_copies_add_up(tmp_path: Path) -> None:
    a_judged_run(tmp_path, captures=160, epoch=EPOCH)
    a_judged_run(tmp_path, captures=40, epoch=EPOCH, kind="shadow", day=1)
    a_judged_run(tmp_path, captures=40, epoch="another", day=2)

    evidence = gathered(tmp_path, a_rollout(epoch=EPOCH))

    assert evidence.pairs == 200
    assert evidence.noise_healthy is True
    assert evidence.epoch == EPOCH


def test_live_figures_come_from_the_spool_and_live_verdicts_from_canary_runs(tmp_path: Path) -> None:
    a_judged_run(tmp_path, captures=2, epoch=EPOCH, kind="canary", decision="inconclusive")
    rollout = a_rollout(Stage.C1, epoch=EPOCH)
    outcomes = [an_outcome((NOON - timedelta(hours=1)).timestamp() + n) for n in range(120)]

    live = gathered(tmp_path, rollout, *outcomes).live

    assert live is not None
    assert live.qwen_requests == 120
    assert live.verdict is not None
    assert live.verdict.decision == "inconclusive"
    assert live.cost_limit_usd == 0.015
    assert live.quota_headroom == pytest.approx(180 / (60 * 0.05))  # a quota of 180, 60 a minute at the next 5 %


def test_thresholds_that_cannot_be_read_are_no_limit_of_zero(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, thresholds=tmp_path / "none.toml")

    with pytest.raises(StoreError, match="CUTOVER_THRESHOLDS"):
        gather(
            settings,
            GENERATE,
            a_rollout(Stage.C1),
            outcomes=[],
            rules=CAPPED,
            words=WORDS,
            clock=FakeClock(),
        )
