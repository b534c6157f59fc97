from pathlib import Path

from harness.rollout.places import kill_file
from tests.gateways import World, running_gateway


async def readiness(world: World) -> tuple[int, dict[str, str]]:
    async with world.http.get(f"{world.base_url}/readyz") as reply:
        return reply.status, (await reply.json())["problems"]


async def test_whoever_asks_hears_that_it_lives(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        async with world.http.get(f"{world.base_url}/healthz") as reply:
            assert (reply.status, await reply.json()) == (200, {"status": "ok"})
        assert await readiness(world) == (200, {})


async def test_broken_flags_and_a_kill_are_told_and_requests_still_answered(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        world.settings.flags.file.unlink()
        kill_file(tmp_path).touch()
        world.gateway.control.flags._file._next_look_s = 0.0  # type: ignore[attr-defined]

        status, problems = await readiness(world)
        spoken, _, _ = await world.speak()

        assert (status, set(problems), spoken) == (200, {"flags", "kill_switch"}, 200)
        assert str(tmp_path) not in str(problems)


async def test_metrics_count_the_requests(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        for _ in range(3):
            await world.speak()
        async with world.http.get(f"{world.base_url}/metrics") as reply:
            text = await reply.text()

        assert 'cutover_requests_total{operation="generate",outcome="ok",provider="modal",worker="0"} 3.0' in text
        assert 'cutover_share{of="effective",operation="generate",worker="0"} 0.0' in text
