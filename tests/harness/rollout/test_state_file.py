import asyncio
import fcntl
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from harness.clock import FakeClock, SystemClock
from harness.errors import StoreError, UsageError
from harness.rollout.stage import Rollout, Rollouts, Stage, Standing
from harness.rollout.state_codec import unpack
from harness.rollout.state_file import RolloutChanged, StateFile
from harness.rollout.transitions import hold, promote, roll_back, start
from harness.speech import Operation
from tests.harness.rollout.a_rollout import NOON, full_evidence

SPEAK = Operation.GENERATE
begin = partial(start, epoch="e1", now=NOON, why="go")


def held(rollout: Rollout | None) -> Rollout | None:
    return rollout and hold(rollout, why="held")


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "rollout", clock=FakeClock())


def published(state: StateFile) -> Rollouts:
    return unpack(state.path.read_bytes(), name="state.json")


async def begun(state: StateFile, *operations: Operation) -> Rollouts:
    return await state.change(begin, operations=operations or (SPEAK,), who="anna", why="go")


def test_before_the_first_change_there_is_nothing(state: StateFile) -> None:
    assert state.read() == Rollouts()
    assert state.history() == []
    assert not state.folder.exists()


async def test_a_change_is_in_force_and_in_the_log_with_who_when_and_why(state: StateFile) -> None:
    after = await state.change(
        begin, operations=(SPEAK, Operation.CLONE), who="anna", why="the verdict is go", facts={"verdict": "go"}
    )

    assert after == state.read() == published(state)
    assert (after.version, set(after.of)) == (1, {SPEAK, Operation.CLONE})
    (record,) = state.history()
    assert (record["who"], record["why"], record["version"]) == ("anna", "the verdict is go", 1)
    assert record["at"] == "2026-11-23T00:00:00+00:00"
    assert record["from"] == {"generate": None, "clone": None}
    assert record["to"] == {"generate": "shadow", "clone": "shadow"}
    assert record["facts"] == {"verdict": "go"}


async def test_a_decision_that_rests_on_an_older_version_is_refused(state: StateFile) -> None:
    seen = await begun(state)
    await state.change(held, operations=(SPEAK,), who="ben", why="wait")

    with pytest.raises(RolloutChanged, match="from version 1 to 2; look again"):
        await state.change(
            lambda rollout: rollout and promote(rollout, full_evidence(), now=NOON),
            operations=(SPEAK,),
            who="anna",
            why="go on",
            expected=seen.version,
        )

    assert state.read().of[SPEAK].standing is Standing.HELD


async def test_a_step_that_is_refused_changes_nothing(state: StateFile) -> None:
    before = await begun(state, Operation.DESIGN)

    with pytest.raises(UsageError, match="under way"):
        await begun(state, SPEAK, Operation.DESIGN)

    assert state.read() == published(state) == before


async def test_what_changes_nothing_leaves_no_trace(state: StateFile) -> None:
    await begun(state)
    await state.change(held, operations=(SPEAK,), who="a", why="b")

    for _ in range(3):
        await state.change(held, operations=tuple(Operation), who="a", why="b")

    assert [record["version"] for record in state.history()] == [1, 2]


async def test_a_crash_between_log_and_state_is_caught_up_by_the_next_change(state: StateFile) -> None:
    await begun(state)
    old = state.path.read_bytes()
    await state.change(held, operations=(SPEAK,), who="a", why="b")
    state.path.write_bytes(old)

    assert state.read().of[SPEAK].standing is Standing.HELD
    await state.change(held, operations=(SPEAK,), who="a", why="b")

    assert published(state) == state.read()


@pytest.mark.parametrize("damage", ["gone", "garbage"])
async def test_a_lost_state_is_written_anew_from_the_log(state: StateFile, damage: str) -> None:
    before = await begun(state)
    if damage == "gone":
        state.path.unlink()
    else:
        state.path.write_bytes(b"\0" * 100)

    await state.change(lambda rollout: rollout, operations=(), who="a", why="b")

    assert published(state) == before


async def test_a_torn_last_record_is_no_change(state: StateFile) -> None:
    before = await begun(state)
    with state.log.open("ab") as log:
        log.write(b'1 0000abcd {"type": "cha')

    assert state.read() == before
    after = await state.change(held, operations=(SPEAK,), who="a", why="b")

    assert [record["version"] for record in state.history()] == [1, 2]
    assert after.version == 2


async def test_a_damaged_log_stops_every_change(state: StateFile) -> None:
    await begun(state)
    log = bytearray(state.log.read_bytes())
    log[len(log) // 2] ^= 1
    state.log.write_bytes(bytes(log))

    with pytest.raises(StoreError, match="damaged"):
        await state.change(held, operations=(SPEAK,), who="a", why="b")


async def test_a_stopped_process_that_holds_the_lock_does_not_stop_others_for_good(state: StateFile) -> None:
    await begun(state)
    descriptor = os.open(state.folder / "lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(StoreError, match="has held it for 5 s"):
            await state.change(held, operations=(SPEAK,), who="a", why="b")
    finally:
        os.close(descriptor)

    assert (await state.change(held, operations=(SPEAK,), who="a", why="b")).version == 2


async def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="the rollout cannot be changed"):
        await begun(StateFile(tmp_path / "file", clock=FakeClock()))


async def test_of_many_who_decide_on_the_same_version_one_gets_through(tmp_path: Path) -> None:
    files = [StateFile(tmp_path, clock=SystemClock()) for _ in range(8)]
    version = (await begun(files[0])).version

    async def decide(file: StateFile, number: int) -> bool:
        try:
            await file.change(
                lambda rollout: rollout and hold(rollout, why=f"by {number}"),
                operations=(SPEAK,),
                who=f"p{number}",
                why="w",
                expected=version,
            )
        except RolloutChanged:
            return False
        return True

    won = await asyncio.gather(*(decide(file, number) for number, file in enumerate(files)))

    assert sum(won) == 1
    assert files[0].read().of[SPEAK].reason == f"by {won.index(True)}"


# Adds to a count that is kept in the reason: a lost update would leave it short.
_COUNT = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from harness.clock import SystemClock
from harness.rollout.state_file import RolloutChanged, StateFile
from harness.speech import Operation

async def main():
    state, done = StateFile(Path(sys.argv[1]), clock=SystemClock(), wait_s=60.0), 0
    while done < int(sys.argv[2]):
        seen = state.read()
        count = int(seen.of[Operation.GENERATE].reason)
        try:
            await state.change(
                lambda rollout: replace(rollout, reason=str(count + 1)),
                operations=(Operation.GENERATE,), who=sys.argv[3], why="count", expected=seen.version,
            )
        except RolloutChanged:
            continue
        done += 1

asyncio.run(main())
"""


async def test_two_processes_lose_no_update(tmp_path: Path) -> None:
    state = StateFile(tmp_path, clock=SystemClock())
    await state.change(partial(start, epoch="e1", now=NOON, why="0"), operations=(SPEAK,), who="a", why="b")

    async def count(name: str) -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _COUNT, str(tmp_path), "25", name)
        return await process.wait()

    assert await asyncio.gather(count("one"), count("two")) == [0, 0]
    assert (state.read().of[SPEAK].reason, state.read().version) == ("50", 51)
    assert published(state) == state.read()
    assert [record["version"] for record in state.history()] == list(range(1, 52))
    assert {record["who"] for record in state.history()[1:]} == {"one", "two"}


async def test_a_trip_needs_no_version(state: StateFile) -> None:
    await begun(state)

    after = await state.change(
        lambda rollout: rollout and roll_back(rollout, now=NOON, why="errors", forced=False),
        operations=tuple(Operation),
        who="trigger errors",
        why="errors",
    )

    assert (after.of[SPEAK].standing, after.of[SPEAK].stage) == (Standing.ROLLED_BACK, Stage.SHADOW)
    assert set(after.of) == {SPEAK}
