import asyncio
from pathlib import Path

import pytest

from harness.capturing.keys import IDENTITY_KEY, open_keys
from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import ConfigError, UsageError
from harness.gateway.callers import caller_key, callers_path
from harness.gateway.rehearsals import DRILL_VOICE, Rehearsals, caller_within, rehearse_at
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.places import drills_file
from harness.routing.bucket import bucket_of
from tests.gateways import World, running_gateway


def rehearsals(world: World) -> Rehearsals:
    found = Rehearsals(world.settings, world.gateway.control, clock=SystemClock())
    found.base_url = world.base_url
    return found


@pytest.mark.parametrize("share_bp", [100, 500, 10_000])
def test_a_drills_caller_falls_into_the_share(tmp_path: Path, share_bp: int) -> None:
    settings = Settings(home=tmp_path)

    name = caller_within(settings, salt="t-1", share_bp=share_bp)

    assert bucket_of("t-1", caller_key(open_keys(settings).key(IDENTITY_KEY), name)) < share_bp


def test_without_a_share_there_is_nothing_to_rehearse(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--local"):
        caller_within(Settings(home=tmp_path), salt="t-1", share_bp=0)


async def test_a_drill_is_held_written_down_and_leaves_neither_switch_nor_caller(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={"generate": "canary:2500"}) as world:
        callers = callers_path(world.settings)
        before = callers.read_text().strip()

        drill = await rehearsals(world).hold(who="ana")

        kept = DrillBook(drills_file(tmp_path), clock=SystemClock()).last(DrillKind.ROLLBACK)
        assert drill.passed, drill.detail
        assert kept == drill
        assert world.gateway.control.kill_switch.reason() is None
        assert callers.read_text().strip() == before


async def test_two_drills_at_once_are_one(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        desk = rehearsals(world)
        first = asyncio.create_task(desk.hold(who="ana"))
        await asyncio.sleep(0.01)

        with pytest.raises(UsageError, match="under way"):
            await desk.hold(who="ben")

        assert (await first).passed


async def test_a_caller_is_taken_away_again_when_the_drill_cannot_be_held(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        callers = callers_path(world.settings)
        before = callers.read_text().strip()

        with pytest.raises(ConfigError):
            await rehearse_at(
                world.settings,
                "ftp://nowhere",
                name="drill",
                voice=DRILL_VOICE,
                switch=world.gateway.control.kill_switch,
                clock=SystemClock(),
                who="ana",
            )

        assert callers.read_text().strip() == before
