import pytest

from harness.rollout.stage import NEXT, Stage, Standing
from tests.harness.rollout.a_rollout import a_rollout


def test_the_steps_are_those_of_the_plan_and_none_is_skipped() -> None:
    path, stage = [Stage.SHADOW], Stage.SHADOW
    while stage in NEXT:
        stage = NEXT[stage]
        path.append(stage)

    assert [each.share_bp for each in path] == [0, 100, 500, 2_500, 5_000, 10_000, 10_000]
    assert path == list(Stage)


@pytest.mark.parametrize("stage", Stage)
def test_rolled_back_means_nobody_whatever_the_stage_was(stage: Stage) -> None:
    assert a_rollout(stage, Standing.ROLLED_BACK).share_bp == 0


@pytest.mark.parametrize("standing", [Standing.RUNNING, Standing.HELD, Standing.FROZEN])
def test_the_share_of_a_stage_does_not_depend_on_whether_it_may_move(standing: Standing) -> None:
    assert a_rollout(Stage.C25, standing).share_bp == 2_500


@pytest.mark.parametrize(
    ("standing", "name"),
    [
        (Standing.RUNNING, "5%"),
        (Standing.HELD, "5% held"),
        (Standing.FROZEN, "5% frozen"),
        (Standing.ROLLED_BACK, "rolled back"),
    ],
)
def test_a_rollout_is_named_as_people_say_it(standing: Standing, name: str) -> None:
    assert a_rollout(Stage.C5, standing).name == name
