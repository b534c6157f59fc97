from pathlib import Path

from tests.gateways import running_gateway


async def test_the_parts_of_a_gateway_share_their_clock_and_providers(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        parts = world.gateway.parts

        assert parts.max_body_bytes == world.settings.gateway.limits.max_body_bytes
        assert set(parts.readiness()) == {"draining", "flags", "rollout", "kill_switch"}
