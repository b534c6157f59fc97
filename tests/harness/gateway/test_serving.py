import asyncio
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.emulators.options import ModalOptions
from harness.errors import UsageError
from harness.gateway.serving import serving
from tests.gateways import World, running_gateway


async def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        taken = int(world.base_url.rpartition(":")[2])
        gateway = world.settings.gateway.model_copy(update={"port": taken})
        chosen = world.settings.model_copy(update={"gateway": gateway})

        with pytest.raises(UsageError, match="CUTOVER_GATEWAY__PORT"):
            async with serving(chosen, clock=SystemClock(), worker=1):
                pass


async def test_requests_under_way_are_answered_before_it_ends(tmp_path: Path) -> None:
    slow = ModalOptions(time_scale=0.02)
    async with running_gateway(tmp_path, modes={}, modal=slow) as world, asyncio.TaskGroup() as group:  # noqa: SIM117 - the inner one ends first
        async with serving(world.settings, clock=SystemClock(), worker=1) as second:
            asking = group.create_task(speak(world, second.base_url))
            await asyncio.sleep(0.05)
            assert not asking.done()

    assert asking.result() == (200, b"RIFF")


async def speak(world: World, base_url: str) -> tuple[int, bytes]:
    body = {"input": "Good morning.", "voice": "Vivian"}
    async with world.http.post(f"{base_url}/v1/audio/speech", json=body, headers=world.headers) as reply:
        return reply.status, (await reply.read())[:4]


async def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with running_gateway(tmp_path, modes={"generate": "shadow:10000"}) as world:
        for _ in range(5):
            await world.speak()
            await world.speak(stream_format="audio", response_format="pcm")

    assert asyncio.all_tasks() == before
