import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import ConfigError
from harness.exchanges import Lane
from harness.gateway.shadow_opening import shadow_of
from harness.rollout.stage import Stage
from harness.store.journal import JournalFile
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from tests.builders import a_request
from tests.gateways import running_gateway
from tests.harness.gateway.copying import a_copy

BOTH = {Lane.CONTROL: "modal", Lane.CANDIDATE: "qwen"}


async def copied(settings: Settings, home: Path) -> Ledger:
    """What became of one copy to Qwen, carried out by a shadow of these settings."""
    over = asyncio.Event()
    copy = replace(a_copy(request=a_request("Good morning.")), done=lambda _: over.set())
    async with shadow_of(settings, BOTH, clock=SystemClock(), processes=1) as shadow, asyncio.timeout(60):
        assert shadow.offer(copy)
        await over.wait()
    (run,) = list_runs(home)
    return Ledger.of(JournalFile(run.journal))


async def test_copies_go_to_the_provider_that_the_settings_name(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, stage=Stage.SHADOW, modes={}) as world:
        ledger = await copied(world.settings, tmp_path)

        assert ledger.outcomes()["candidate"] == {"ok": 1}
        assert world.asked(world.qwen) == 2  # the call, and the audio from its address
        assert set(ledger.plan["plan"]["epochs"].values()) == {"e1"}
        assert ledger.plan["plan"]["price_version"]


async def test_settings_that_kill_are_heeded(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        ledger = await copied(world.settings.model_copy(update={"kill": True}), tmp_path)

        assert ledger.outcomes()["candidate"] == {"cancelled": 1}
        assert world.asked(world.qwen) == 0


def test_a_key_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)

    with pytest.raises(ConfigError, match="CUTOVER_MODAL__BASE_URL is not set"):
        shadow_of(settings, BOTH, clock=SystemClock(), processes=1)
