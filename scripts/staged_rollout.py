"""A rollout as it looks while it runs, for a picture: a gateway at 25 % between both stand-ins, callers, and an outage.

Nothing is written down by hand: what the page shows was decided by the gateway's own breakers and triggers.
"""

import asyncio
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp

from harness.clock import SystemClock
from harness.gateway.caller_file import add_key
from harness.rollout.local_stage import LocalStage, local_stage
from harness.rollout.places import state_folder
from harness.rollout.stage import Stage
from harness.rollout.state_file import StateFile
from harness.speech import Operation

__all__ = ["staged_rollout"]

_CALLERS = 24
_RATE_HZ = 5.0
_WELL_S, _OUT_S = 100.0, 50.0  # charts count by the minute; two openings of a breaker are 30 s apart
_SEEN_S = 1.0
_SENTENCES = ("Good morning.", "Your table is ready.", "The train to Bern leaves at nine.", "Mind the step, please.")


@contextmanager
def staged_rollout() -> Iterator[Mapping[str, str]]:
    """Play it, and yield the environment in which the dashboard finds it; the gateway serves until the end."""
    with tempfile.TemporaryDirectory(prefix="cutover-picture-") as folder, asyncio.Runner() as runner:
        stage = local_stage(Path(folder) / "home", os.environ, clock=SystemClock())
        opened = runner.run(stage.__aenter__())
        try:
            runner.run(_play(opened))
            yield opened.environment
        finally:
            runner.run(stage.__aexit__(None, None, None))


async def _play(stage: LocalStage) -> None:
    clock = SystemClock()
    state = StateFile(state_folder(stage.home), clock=clock)
    for stage_, operations, why in (
        (Stage.SHADOW, (Operation.CLONE, Operation.DESIGN), "copies only, until their night is a go"),
        (Stage.C25, (Operation.GENERATE,), "a quarter of the callers"),
    ):
        await state.change(
            lambda before, at=stage_, why=why: before and replace(before, stage=at, reason=why),
            operations=operations,
            who="anna",
            why=why,
        )
    callers = stage.home / "gateway" / "callers.toml"
    keys = [add_key(callers, f"app-{number}", now=clock.now())[1] for number in range(_CALLERS)]
    await clock.sleep(_SEEN_S)
    async with aiohttp.ClientSession() as session:
        await _callers(session, stage.url, keys, for_s=_WELL_S)
        outage = {"faults": [{"fault": "unavailable", "times": None}]}
        async with session.post(f"{stage.environment['CUTOVER_QWEN__BASE_URL']}/_standin/faults", json=outage) as reply:
            reply.raise_for_status()
        await _callers(session, stage.url, keys, for_s=_OUT_S)


async def _callers(session: aiohttp.ClientSession, url: str, keys: list[str], *, for_s: float) -> None:
    """Everybody asks in turn, evenly."""

    async def ask(key: str, text: str) -> None:
        body = json.dumps({"input": text, "voice": "Ryan", "language": "en"})
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        async with session.post(f"{url}/v1/audio/speech", data=body, headers=headers) as reply:
            await reply.read()

    until_s, turns = time.monotonic() + for_s, zip(itertools.cycle(keys), itertools.cycle(_SENTENCES), strict=False)
    async with asyncio.TaskGroup() as group:
        while time.monotonic() < until_s:
            group.create_task(ask(*next(turns)))
            await asyncio.sleep(1.0 / _RATE_HZ)
