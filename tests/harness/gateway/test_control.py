import asyncio
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.config import FlagSettings, Settings
from harness.errors import ConfigError, ErrorKind
from harness.exchanges import Lane
from harness.gateway.control import opened_control
from harness.rollout.outcomes import LiveOutcome
from harness.speech import Operation
from tests.gateways import begin_rollout, flags_text


def settings(home: Path, **changes: object) -> Settings:
    (home / "flags.toml").write_text(flags_text(generate="qwen"))
    return Settings(home=home, flags=FlagSettings(file=home / "flags.toml"), **changes)  # type: ignore[arg-type]


async def test_outcomes_that_are_bad_enough_roll_back(tmp_path: Path) -> None:
    await begin_rollout(tmp_path)
    async with opened_control(settings(tmp_path), clock=SystemClock()) as control:
        before = control.router.inputs(Operation.GENERATE, unit="u", request_id="r").ceiling.name
        for _ in range(20):
            control.spool.append(
                LiveOutcome(
                    at_s=SystemClock().now().timestamp() + 1,
                    process="0",
                    operation=Operation.GENERATE,
                    lane=Lane.CANDIDATE,
                    kind=ErrorKind.OVERLOADED,
                )
            )
        async with asyncio.timeout(60):
            while control.rollout.ceiling(Operation.GENERATE).share_bp:
                await asyncio.sleep(0.02)

        assert before == "100%"
        assert control.rollout.ceiling(Operation.GENERATE).name == "rolled back"


async def test_settings_can_kill_as_the_variable_does(tmp_path: Path) -> None:
    async with opened_control(settings(tmp_path, kill=True), clock=SystemClock()) as control:
        assert control.router.is_killed


async def test_a_misspelt_flag_in_the_environment_stops_the_start(tmp_path: Path) -> None:
    chosen = Settings(home=tmp_path, flags=FlagSettings(generate="canry:5"))

    with pytest.raises(ConfigError, match="CUTOVER_FLAGS__GENERATE"):
        async with opened_control(chosen, clock=SystemClock()):
            pass
