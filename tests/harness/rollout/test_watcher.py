from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.flags.kill_switch import KillSwitch
from harness.rollout.live import LiveRollout
from harness.rollout.rules import load_rules
from harness.rollout.spool import Spool
from harness.rollout.stage import Rollout, Stage
from harness.rollout.state_file import StateFile
from harness.rollout.watcher import Watcher
from harness.speech import Operation
from tests.harness.rollout.a_rollout import NOON, a_rollout, an_outcome

SPEAK = Operation.GENERATE
NOON_S = NOON.timestamp()
RULES = load_rules()
CAPPED = replace(RULES, spend=replace(RULES.spend, hour_usd=1.0, day_usd=5.0))


class World:
    """Two workers of one gateway: both write outcomes, both may watch."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOON)
        self.folder = folder / "live"
        self.state = StateFile(folder / "rollout", clock=self.clock)
        self.kill_switch = KillSwitch(folder / "KILL", environ={})
        self.spools = [Spool(self.folder), Spool(self.folder)]
        self.watchers = [self.watcher(), self.watcher()]

    def watcher(self) -> Watcher:
        rollout = LiveRollout(self.state, kill_switch=self.kill_switch, clock=self.clock)
        return Watcher(self.folder, rollout=rollout, rules=CAPPED, clock=self.clock)

    async def begin(self, rollout: Rollout) -> None:
        await self.state.change(lambda _: rollout, operations=(SPEAK,), who="anna", why="go")
        self.clock.advance(0.05)

    def fail(self, count: int, *, at_s: float = NOON_S, **changes: Any) -> None:
        for number in range(count):
            bad = {"kind": ErrorKind.OVERLOADED, "microusd": 0, "troubles": None, **changes}
            self.spools[number % 2].append(an_outcome(at_s + number, process=f"worker-{number % 2}", **bad))

    def close(self) -> None:
        for each in (*self.spools, *self.watchers):
            each.close()

    @property
    def name(self) -> str:
        return self.state.read().of[SPEAK].name


@pytest.fixture
def world(tmp_path: Path) -> Any:
    world = World(tmp_path)
    yield world
    world.close()


async def test_errors_of_two_workers_roll_back_for_both(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    world.fail(5)

    trips = await world.watchers[0].poll()

    assert [trip.trigger for trip in trips] == ["errors"]
    assert world.name == "rolled back"


async def test_one_process_watches_and_the_next_takes_over_when_it_ends(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    one, two = world.watchers
    await one.poll()
    world.fail(4)

    await two.poll()
    working = (one.is_working, two.is_working)
    await one.poll()
    one.close()
    world.fail(1, at_s=NOON_S + 10)
    trips = await two.poll()

    assert working == (True, False)
    assert (one.is_working, two.is_working) == (False, True)
    # Four errors were counted by the first and one by the second: nothing was forgotten, nothing counted twice.
    assert [trip.trigger for trip in trips] == ["errors"]


async def test_what_was_counted_before_a_restart_is_not_counted_again(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    world.fail(4)
    await world.watchers[0].poll()
    world.watchers[0].close()

    assert await world.watchers[1].poll() == []
    assert world.name == "25%"


async def test_a_crash_after_the_last_save_counts_again_from_there_and_not_twice(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    await world.watchers[0].poll()  # saves at its first poll
    world.fail(3)
    await world.watchers[0].poll()
    memory = (world.folder / "watch.json").read_bytes()
    world.watchers[0].close()
    (world.folder / "watch.json").write_bytes(memory)  # as if it had been killed

    world.fail(1, at_s=NOON_S + 10)

    assert await world.watchers[1].poll() == []
    assert world.name == "25%"


@pytest.mark.parametrize("memory", [b"", b"[]", b"{}", b"\xff", b'{"watch": 1, "offsets": {}, "epochs": {}}'])
async def test_a_memory_that_cannot_be_read_is_made_anew_from_the_spool(world: World, memory: bytes) -> None:
    await world.begin(a_rollout(Stage.C25))
    world.fail(5)
    (world.folder / "watch.json").write_bytes(memory)

    assert [trip.trigger for trip in await world.watchers[0].poll()] == ["errors"]


async def test_a_rollout_is_not_blamed_for_what_happened_before_it_began(world: World) -> None:
    world.fail(50, at_s=NOON_S - 3_600)
    await world.begin(a_rollout(Stage.C1, started_at=NOON))

    assert await world.watchers[0].poll() == []

    world.fail(5)
    assert [trip.trigger for trip in await world.watchers[0].poll()] == ["errors"]


async def test_money_spent_before_it_began_is_spent_all_the_same(world: World) -> None:
    world.fail(1, at_s=NOON_S - 60, kind=None, microusd=900_000, chars=90_000)
    await world.begin(a_rollout(Stage.C1, started_at=NOON))
    await world.watchers[0].poll()
    world.fail(1, kind=None, microusd=100_000, chars=10_000)

    assert [trip.trigger for trip in await world.watchers[0].poll()] == ["spend hour"]


async def test_errors_of_the_last_epoch_do_not_add_to_those_of_the_next(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    world.fail(4)
    await world.watchers[0].poll()

    await world.begin(a_rollout(Stage.C1, epoch="e2"))
    world.fail(4, at_s=NOON_S + 60)

    assert await world.watchers[0].poll() == []


async def test_a_backlog_is_worked_off_in_batches(world: World) -> None:
    await world.begin(a_rollout(Stage.C25))
    for number in range(450):
        world.spools[0].append(an_outcome(NOON_S + number))
    world.fail(5, at_s=NOON_S + 500)

    trips = [await world.watchers[0].poll() for _ in range(3)]

    assert [len(each) for each in trips] == [0, 0, 1]


async def test_a_folder_that_cannot_be_used_watches_nothing_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "live").touch()
    world = World(tmp_path)

    assert await world.watchers[0].poll() == []
    assert not world.watchers[0].is_working
