import asyncio
import os
import signal
from pathlib import Path

import pytest

from harness.config import Settings
from harness.errors import NotAdmitted
from replay.killswitch import KillSwitch, heeding_signals


def test_nothing_is_stopped_while_neither_file_nor_setting_says_so(tmp_path: Path) -> None:
    assert KillSwitch(Settings(home=tmp_path)).reason() is None


def test_the_file_stops_everything_until_it_is_removed(tmp_path: Path) -> None:
    switch = KillSwitch(Settings(home=tmp_path))

    switch.path.touch()
    pulled = switch.reason()
    switch.path.unlink()

    assert pulled == f"{tmp_path / 'KILL'} exists; remove it to go on"
    assert switch.reason() is None


def test_the_setting_stops_everything(tmp_path: Path) -> None:
    assert KillSwitch(Settings(home=tmp_path, kill=True)).reason() == "CUTOVER_KILL is set; unset it to go on"


def test_a_place_that_cannot_be_looked_at_stops_everything(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    reason = KillSwitch(Settings(home=loop)).reason()

    assert reason == f"{loop / 'KILL'} cannot be looked for (Too many levels of symbolic links)"


async def test_who_waits_for_room_is_let_go_the_moment_it_is_pulled(tmp_path: Path) -> None:
    switch = KillSwitch(Settings(home=tmp_path))
    ended: list[str] = []

    async def wait() -> None:
        try:
            async with switch.abandoning():
                await asyncio.Event().wait()
        except NotAdmitted as refused:
            ended.append(str(refused))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(wait())
        group.create_task(wait())
        await asyncio.sleep(0)
        switch.pull("asked to stop")
        switch.pull("and again")

    assert ended == ["asked to stop"] * 2


async def test_once_pulled_nobody_begins_to_wait(tmp_path: Path) -> None:
    switch = KillSwitch(Settings(home=tmp_path))
    switch.path.touch()

    with pytest.raises(NotAdmitted, match="KILL exists; remove it"):
        async with switch.abandoning():
            pytest.fail("it was let in")


async def test_a_switch_pulled_by_file_meanwhile_refuses_at_the_end_of_the_wait(tmp_path: Path) -> None:
    switch = KillSwitch(Settings(home=tmp_path))

    with pytest.raises(NotAdmitted, match="KILL exists"):
        async with switch.abandoning():
            switch.path.touch()


async def test_a_timeout_of_the_waiter_itself_stays_a_timeout(tmp_path: Path) -> None:
    switch = KillSwitch(Settings(home=tmp_path))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), switch.abandoning():
            await asyncio.Event().wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_asks_and_the_second_ends(number: signal.Signals) -> None:
    asked: list[str] = []

    async def work() -> None:
        with heeding_signals(lambda: asked.append("asked")):
            os.kill(os.getpid(), number)
            while not asked:
                await asyncio.sleep(0)
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await work()

    assert asked == ["asked", "asked"]
