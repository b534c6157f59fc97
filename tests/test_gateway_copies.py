"""Copies as a gateway in production makes them: by a process of their own, to stand-ins, over real sockets."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from harness.config import ShadowSettings
from harness.gateway.shadow_process import ShadowProcess
from harness.rollout.places import kill_file
from harness.rollout.stage import Stage
from harness.store.journal import JournalFile
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from harness.store.seal import seal
from tests.gateways import World, running_gateway

OWN = {"shadow": ShadowSettings(own_process=True), "stage": Stage.SHADOW, "modes": {"generate": "shadow:10000"}}


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):  # the process gets a processor only when nobody else wants it
        while not done():
            await asyncio.sleep(0.01)


async def kept(world: World, count: int) -> None:
    await until(lambda: world.gateway.shadow.counts.kept == count)


def ledgers(home: Path) -> list[Ledger]:
    runs = list_runs(home)
    for run in runs:
        seal(run)
    return [Ledger.of(JournalFile(run.journal)) for run in runs]


async def test_callers_hear_legacy_and_both_answers_are_in_a_run(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **OWN) as world:
        for number in range(3):
            _, headers, _ = await world.speak(f"Sentence number {number}.")
            assert headers["X-Provider"] == "modal"
        await kept(world, 3)
        metrics = world.gateway.shared.text().decode()

    assert world.asked(world.qwen) == 3 * 2  # the call, and the audio from its address
    (ledger,) = ledgers(tmp_path)
    assert ledger.outcomes() == {"control": Counter(ok=3), "candidate": Counter(ok=3)}
    assert ledger.plan["plan"]["epochs"]["generate"] == "e1"
    assert 'cutover_shadow_copies_total{result="kept",worker="0"} 3.0' in metrics


async def test_the_kill_switch_ends_copies(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **OWN) as world:
        await world.speak()
        await kept(world, 1)
        asked = world.asked(world.qwen)
        kill_file(tmp_path).touch()
        replies = [await world.speak() for _ in range(5)]

    assert {headers["X-Provider"] for _, headers, _ in replies} == {"modal"}
    assert world.asked(world.qwen) == asked


async def test_callers_do_not_hear_of_it_when_the_process_is_killed(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **OWN) as world:
        await world.speak()
        await kept(world, 1)
        assert isinstance(world.gateway.shadow, ShadowProcess)
        assert world.gateway.shadow.pid is not None
        os.kill(world.gateway.shadow.pid, signal.SIGKILL)
        replies = [await world.speak() for _ in range(20)]

        assert {status for status, _, _ in replies} == {200}

    assert all(ledger.missing == [] for ledger in ledgers(tmp_path))
