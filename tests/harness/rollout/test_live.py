from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.flags.kill_switch import KillSwitch
from harness.rollout.live import LiveRollout
from harness.rollout.stage import Rollout, Stage, Standing
from harness.rollout.state_file import StateFile
from harness.rollout.transitions import roll_back, start
from harness.rollout.trip import Trip, TripAction
from harness.speech import Operation
from tests.counted import calls_of
from tests.harness.rollout.a_rollout import NOON, a_rollout

SPEAK = Operation.GENERATE


class World:
    """The state of a folder and two processes that watch it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.state = StateFile(folder / "rollout", clock=self.clock)
        self.kill_switch = KillSwitch(folder / "KILL", environ={})
        self.here, self.there = self.process(), self.process()

    def process(self) -> LiveRollout:
        return LiveRollout(self.state, kill_switch=self.kill_switch, clock=self.clock)

    async def begin(self, rollout: Rollout, *operations: Operation) -> None:
        await self.state.change(lambda _: rollout, operations=operations or (SPEAK,), who="anna", why="go")
        self.clock.advance(0.05)


def a_trip(action: TripAction = TripAction.ROLL_BACK, **changes: object) -> Trip:
    base = Trip(trigger="errors", action=action, operation=SPEAK, reason="9 of 10 failed", at_s=NOON.timestamp())
    return replace(base, **changes)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_before_a_rollout_began_nobody_gets_qwen_but_copies_may_go(world: World) -> None:
    ceiling = world.here.ceiling(SPEAK)

    assert (ceiling.share_bp, ceiling.copies, ceiling.name, world.here.problem) == (0, True, "not begun", None)


@pytest.mark.parametrize(
    ("rollout", "share_bp", "copies", "retired"),
    [
        pytest.param(a_rollout(Stage.SHADOW), 0, True, False, id="shadow"),
        pytest.param(a_rollout(Stage.C5), 500, True, False, id="5%"),
        pytest.param(a_rollout(Stage.C5, Standing.HELD), 500, True, False, id="5% held"),
        pytest.param(a_rollout(Stage.C5, Standing.FROZEN), 500, True, False, id="5% frozen"),
        pytest.param(a_rollout(Stage.C5, Standing.ROLLED_BACK), 0, False, False, id="rolled back"),
        pytest.param(a_rollout(Stage.RETIRED), 10_000, True, True, id="retired"),
        pytest.param(a_rollout(Stage.RETIRED, Standing.ROLLED_BACK), 0, False, False, id="retired and rolled back"),
    ],
)
async def test_every_process_sees_what_the_state_allows(
    world: World, rollout: Rollout, share_bp: int, copies: bool, retired: bool
) -> None:
    await world.begin(rollout)

    for process in (world.here, world.there):
        ceiling = process.ceiling(SPEAK)
        assert (ceiling.share_bp, ceiling.copies, ceiling.retired) == (share_bp, copies, retired)
        assert (ceiling.version, ceiling.name) == (1, rollout.name)
        assert process.ceiling(Operation.CLONE).name == "not begun"


async def test_a_trip_holds_at_once_here_and_a_moment_later_everywhere(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    assert world.here.ceiling(SPEAK).share_bp == 2_500

    await world.here.carry_out(a_trip())

    assert (world.here.ceiling(SPEAK).share_bp, world.here.ceiling(SPEAK).copies) == (0, False)
    world.clock.advance(0.05)
    assert world.there.ceiling(SPEAK).name == "rolled back"
    assert world.process().ceiling(SPEAK).share_bp == 0
    record = world.state.history()[-1]
    assert (record["who"], record["why"]) == ("trigger errors", "9 of 10 failed")
    assert world.state.read().of[SPEAK].reason == "errors: 9 of 10 failed"


async def test_the_same_trip_from_every_process_is_one_change(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))

    for process in (world.here, world.there, world.here):
        await process.carry_out(a_trip())

    assert len(world.state.history()) == 2


async def test_a_trip_of_all_operations_rolls_all_back(world: World) -> None:
    await world.begin(a_rollout(Stage.C1), SPEAK, Operation.CLONE)

    await world.here.carry_out(a_trip(operation=None, forced=True))

    assert {each.name for each in world.state.read().of.values()} == {"rolled back"}


async def test_a_trip_of_one_operation_leaves_the_others(world: World) -> None:
    await world.begin(a_rollout(Stage.C1), SPEAK, Operation.CLONE)

    await world.here.carry_out(a_trip())

    assert world.here.ceiling(Operation.CLONE).share_bp == 100


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (TripAction.HOLD, "5% held"),
        (TripAction.FREEZE, "5% frozen"),
        (TripAction.TICKET, "5%"),
        (TripAction.THAW, "5%"),
    ],
)
async def test_lighter_trips_keep_the_share(world: World, action: TripAction, name: str) -> None:
    await world.begin(a_rollout(Stage.C5))

    await world.here.carry_out(a_trip(action))

    world.clock.advance(0.05)
    assert (world.here.ceiling(SPEAK).name, world.here.ceiling(SPEAK).share_bp) == (name, 500)


async def test_while_legacy_is_sick_a_trip_waits_and_money_does_not(world: World) -> None:
    await world.begin(a_rollout(Stage.C5, Standing.FROZEN))

    await world.here.carry_out(a_trip())
    waiting = world.here.ceiling(SPEAK)
    await world.here.carry_out(a_trip(trigger="spend hour", operation=None, forced=True))

    assert (waiting.share_bp, world.here.ceiling(SPEAK).share_bp) == (500, 0)


async def test_a_trip_that_cannot_be_written_throws_the_kill_switch(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    log = world.state.log.read_bytes()
    world.state.log.write_bytes(log[:40] + b"?" + log[41:])

    await world.here.carry_out(a_trip())

    assert world.kill_switch.reason() is not None
    assert "trigger errors could not be written: 9 of 10 failed" in world.kill_switch.path.read_text()
    world.clock.advance(1.0)
    assert world.here.ceiling(SPEAK).share_bp == 0


async def test_with_the_kill_switch_out_of_reach_too_this_process_still_stops(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.kill_switch = KillSwitch(world.state.path / "KILL", environ={})
    await world.begin(a_rollout(Stage.C25))
    here = world.process()
    world.state.log.write_bytes(b"garbage\n")

    await here.carry_out(a_trip())

    assert here.ceiling(SPEAK).share_bp == 0


async def test_a_lighter_trip_that_cannot_be_written_kills_nothing(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    world.state.log.write_bytes(b"garbage\n")

    await world.here.carry_out(a_trip(TripAction.HOLD))

    assert world.kill_switch.reason() is None


async def test_a_new_epoch_is_not_held_to_the_trip_of_the_last(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    await world.here.carry_out(a_trip())
    again = partial(start, epoch="e2", now=NOON, why="mended")
    await world.state.change(again, operations=(SPEAK,), who="anna", why="mended")

    await world.begin(a_rollout(Stage.C1, epoch="e2"))

    assert world.here.ceiling(SPEAK).share_bp == 100


@pytest.mark.parametrize("damage", ["garbage", "gone", "folder"])
async def test_a_state_that_cannot_be_read_means_nobody_gets_qwen_nor_copies(world: World, damage: str) -> None:
    await world.begin(a_rollout(Stage.C25))
    assert world.here.ceiling(SPEAK).share_bp == 2_500

    world.state.path.unlink()
    match damage:
        case "garbage":
            world.state.path.write_bytes(b"{}")
        case "folder":
            world.state.path.mkdir()
    world.clock.advance(0.05)

    ceiling = world.here.ceiling(SPEAK)
    assert (ceiling.share_bp, ceiling.copies, ceiling.name) == (0, False, "unreadable")
    assert str(world.state.path) in (world.here.problem or "")


async def test_what_a_person_rolls_back_is_seen_as_well(world: World) -> None:
    await world.begin(a_rollout(Stage.FULL))
    await world.state.change(
        lambda rollout: rollout and roll_back(rollout, now=NOON, why="voices crackle", forced=True),
        operations=(SPEAK,),
        who="anna",
        why="voices crackle",
    )
    world.clock.advance(0.05)

    assert world.here.ceiling(SPEAK).share_bp == 0


async def test_asking_takes_few_steps(world: World) -> None:
    await world.begin(a_rollout(Stage.C5))
    world.here.ceiling(SPEAK)  # reads the file, which asking again must not

    assert calls_of(lambda: world.here.ceiling(SPEAK)) < 10
