from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from harness.flags.flagset import Flag, FlagSet, Mode
from harness.rollout.evidence import Drill
from harness.rollout.retirement import STEPS, Findings, dependencies
from harness.rollout.stage import Rollouts, Stage, Standing
from harness.speech import Operation
from tests.harness.rollout.a_rollout import NOON, a_rollout


def flags(**changes: object) -> FlagSet:
    flag = replace(Flag(mode=Mode.QWEN), **changes)  # type: ignore[arg-type]
    return FlagSet(version="v", salt="s", flags=MappingProxyType(dict.fromkeys(Operation, flag)))


def rollouts(stage: Stage = Stage.FULL, standing: Standing = Standing.RUNNING, **changes: object) -> Rollouts:
    return Rollouts(version=9, of=dict.fromkeys(Operation, a_rollout(stage, standing, **changes)))


READY = Findings(
    rollouts=rollouts(),
    flags=flags(),
    forced={},
    voices=3,
    voices_without_qwen=(),
    answered_by_legacy=dict.fromkeys(Operation, 0),
    load_drill=Drill(at=NOON - timedelta(days=3), passed=True, detail="carried"),
)

OLD = Drill(at=NOON - timedelta(days=40), passed=True, detail="carried")


def left(**changes: object) -> list[str]:
    return [each.what for each in dependencies(replace(READY, **changes), NOON)]  # type: ignore[arg-type]


def test_nothing_is_left_when_all_is_done() -> None:
    assert left() == []
    assert left(rollouts=rollouts(Stage.RETIRED, since=NOON)) == []


@pytest.mark.parametrize(
    ("changes", "said", "count"),
    [
        pytest.param({"rollouts": Rollouts()}, "no rollout was begun", 3, id="nothing begun"),
        pytest.param({"rollouts": rollouts(Stage.C50)}, "the rollout is at 50%", 3, id="half way"),
        pytest.param({"rollouts": rollouts(standing=Standing.HELD)}, "100% held", 3, id="held"),
        pytest.param({"rollouts": rollouts(since=NOON - timedelta(days=2))}, "2.0 of 14 days", 3, id="too soon"),
        pytest.param({"rollouts": rollouts(tripped_at=NOON - timedelta(days=5))}, "5.0 of 14 days", 3, id="tripped"),
        pytest.param({"flags": flags(mode=Mode.CANARY)}, "the flag says canary", 3, id="flag"),
        pytest.param({"flags": flags(shadow_bp=500)}, "5 % of requests are copied", 3, id="copies"),
        pytest.param({"flags": FlagSet.all_legacy("gone")}, "cannot be read: gone", 1, id="no flags"),
        pytest.param({"forced": {Operation.CLONE: "legacy"}}, "CUTOVER_FLAGS__CLONE=legacy", 1, id="environment"),
        pytest.param({"voices_without_qwen": ("voice-1", "voice-2")}, "Qwen has none made of it", 2, id="voices"),
        pytest.param({"voices_without_qwen": None}, "could not be asked", 1, id="voices unknown"),
        pytest.param({"answered_by_legacy": {Operation.CLONE: 7}}, "legacy answered 7 callers", 1, id="fallbacks"),
        pytest.param({"load_drill": None}, "no load drill", 1, id="no drill"),
        pytest.param(
            {"load_drill": Drill(at=NOON - timedelta(days=40), passed=True, detail="")},
            "no load drill",
            1,
            id="old drill",
        ),
    ],
)
def test_each_thing_that_is_left_is_named(changes: dict[str, object], said: str, count: int) -> None:
    lines = left(**changes)

    assert len(lines) == count
    assert all(said in line for line in lines)


def test_every_line_and_the_last_steps_say_what_to_do() -> None:
    findings = replace(READY, rollouts=Rollouts(), flags=flags(mode=Mode.LEGACY), load_drill=None)

    assert all(each.remedy for each in dependencies(findings, NOON))
    assert len(STEPS) >= 6


@pytest.mark.parametrize(
    ("of", "command"),
    [
        pytest.param(Rollouts(), "cutover rollout start generate --epoch …", id="nothing begun"),
        pytest.param(rollouts(standing=Standing.ROLLED_BACK), "cutover rollout start generate --epoch …", id="anew"),
        pytest.param(rollouts(Stage.C50), "cutover rollout promote generate --approved-by NAME", id="half way"),
    ],
)
def test_the_remedy_is_the_command_that_can_be_given_now(of: Rollouts, command: str) -> None:
    first, *_ = dependencies(replace(READY, rollouts=of), NOON)

    assert first.remedy == command
