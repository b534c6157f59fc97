import asyncio
import io
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.config import FlagSettings, GatewaySettings, ModalSettings, Settings, ShadowSettings
from harness.errors import ConfigError
from harness.exchanges import Lane
from harness.gateway.serving import serving
from harness.rollout.places import kill_file
from harness.rollout.stage import Stage
from harness.telemetry.log_format import logging_to
from tests.gateways import begin_rollout, flags_text, running_gateway


def settings_of(home: Path, *, modal: str | None = None, **modes: str) -> Settings:
    """Without a key for Qwen."""
    flags = home / "flags.toml"
    flags.write_text(flags_text(**modes))
    return Settings(
        home=home,
        flags=FlagSettings(file=flags),
        gateway=GatewaySettings(port=0, admin_port=0),
        modal=ModalSettings(base_url=modal),
    )


async def started(settings: Settings) -> None:
    async with serving(settings, clock=SystemClock()):
        pass


@pytest.mark.parametrize("mode", ["qwen", "canary:100", "shadow:100"])
async def test_without_a_key_for_qwen_a_flag_that_names_it_stops_the_start(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_QWEN__API_KEY"):
        await started(settings_of(tmp_path, modal="https://x.modal.run", clone=mode))


async def test_without_a_key_for_qwen_a_retired_legacy_stops_the_start(tmp_path: Path) -> None:
    await begin_rollout(tmp_path, Stage.RETIRED)

    with pytest.raises(ConfigError, match="CUTOVER_QWEN__API_KEY"):
        await started(settings_of(tmp_path, modal="https://x.modal.run"))


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.FULL])
async def test_legacy_may_only_be_missing_once_it_is_retired(tmp_path: Path, stage: Stage) -> None:
    await begin_rollout(tmp_path, stage)

    with pytest.raises(ConfigError, match="CUTOVER_MODAL__BASE_URL"):
        await started(settings_of(tmp_path))


async def test_legacy_alone_answers_without_a_key_for_qwen(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}, qwen_settings={"api_key": None}) as world:
        status, headers, _ = await world.speak()

        assert (status, headers["X-Provider"], Lane.CANDIDATE in world.gateway.parts.lanes) == (200, "modal", False)


async def test_a_flag_that_names_qwen_later_is_answered_by_legacy(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}, qwen_settings={"api_key": None}) as world:
        world.set_flags(generate="qwen")
        async with asyncio.timeout(60):
            while (reply := await world.speak())[1]["X-Route"] != "in-share":
                await asyncio.sleep(0.02)

        assert (reply[0], reply[1]["X-Provider"], reply[1]["X-Fallback"]) == (200, "modal", "not_set_up")
        assert world.asked(world.qwen) == 0


async def test_without_legacy_what_would_go_there_is_refused(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, stage=Stage.RETIRED, modal_settings={"base_url": None}) as world:
        before = await world.speak()
        kill_file(tmp_path).touch()
        status, _, body = await world.speak()

        assert (before[0], before[1]["X-Provider"]) == (200, "qwen")
        assert (status, b'"providers_unavailable"' in body) == (503, True)


async def test_every_call_gets_one_attempt(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        world.modal.script.load({"faults": [{"fault": "app-error", "times": 1}]})

        status, _, _ = await world.speak()

        # The client alone would have tried a second time, and got through.
        assert (status, world.asked(world.modal)) == (503, 1)


async def test_lost_log_lines_are_counted(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        with logging_to(io.StringIO()) as handler:
            handler.dropped = 7
            text = world.gateway.parts.metrics_text().decode()

    assert 'cutover_log_lines_dropped_total{worker="0"} 7.0' in text


async def test_more_than_so_many_live_requests_a_second_are_not_copied(tmp_path: Path) -> None:
    rarely = ShadowSettings(own_process=False, per_second=0.001)
    async with running_gateway(
        tmp_path, stage=Stage.SHADOW, modes={"generate": "shadow:10000"}, shadow=rarely
    ) as world:
        for number in range(4):
            await world.speak(f"Sentence number {number}.")
        async with asyncio.timeout(60):
            while not world.gateway.shadow.counts.kept:
                await asyncio.sleep(0.01)
        text = world.gateway.parts.metrics_text().decode()

    counted = {
        result: f'cutover_shadow_copies_total{{result="{result}",worker="0"}} {count}'
        for result, count in {"offered": 4.0, "thinned": 3.0, "kept": 1.0, "dropped": 0.0}.items()
    }
    assert all(line in text for line in counted.values())
