import os
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.errors import HarnessError
from harness.gateway.caller_file import add_key
from harness.rollout import local_stage as module
from harness.rollout.drill_target import HttpTarget
from harness.rollout.local_stage import local_stage

CLOCK = SystemClock()


async def test_a_gateway_between_stand_ins_answers_from_qwen_and_all_ends_with_the_block(tmp_path: Path) -> None:
    async with local_stage(tmp_path / "home", {**os.environ, "CUTOVER_KILL": "1"}, clock=CLOCK) as stage:
        _, key = add_key(stage.home / "gateway" / "callers.toml", "app", now=CLOCK.now())
        host = stage.url.removeprefix("http://")
        async with HttpTarget(stage.url, key, voice="Ryan", allow_hosts=[host], clock=CLOCK) as target:
            while (spoken := await target.speak()).status == 401:
                await CLOCK.sleep(0.1)

    async with HttpTarget(stage.url, key, voice="Ryan", allow_hosts=[host], clock=CLOCK) as after:
        gone = await after.speak()
    assert (spoken.status, spoken.provider) == (200, "qwen")
    assert gone.status == 0


async def test_a_part_that_does_not_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_standin", lambda name, home: ["emulate", "nobody"])

    with pytest.raises(HarnessError, match="stand-in qwen did not start"):
        async with local_stage(tmp_path / "home", os.environ, clock=CLOCK):
            pass
