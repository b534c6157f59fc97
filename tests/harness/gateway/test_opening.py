from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.config import ModalSettings, QwenSettings, Settings
from harness.errors import ConfigError
from harness.gateway.serving import serving
from tests.gateways import running_gateway


async def test_a_missing_key_stops_the_start_with_its_name(tmp_path: Path) -> None:
    chosen = Settings(
        home=tmp_path, qwen=QwenSettings(api_key=None), modal=ModalSettings(base_url="https://x.modal.run")
    )

    with pytest.raises(ConfigError, match="CUTOVER_QWEN__API_KEY"):
        async with serving(chosen, clock=SystemClock()):
            pass


async def test_every_call_gets_one_attempt(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        world.modal.script.load({"faults": [{"fault": "app-error", "times": 1}]})

        status, _, _ = await world.speak()

        # The client alone would have tried a second time, and got through.
        assert (status, world.asked(world.modal)) == (503, 1)
