"""Flags that change a thousand times under load: each answer is of one version, and nobody fails."""

import asyncio
from pathlib import Path

from harness.flags.flag_toml import version_of
from tests.gateways import flags_text, running_gateway


async def test_a_thousand_flips_never_mix(tmp_path: Path) -> None:
    texts = {mode: flags_text(generate=mode) for mode in ("legacy", "qwen")}
    provider = {version_of(texts["legacy"].encode()): "modal", version_of(texts["qwen"].encode()): "qwen"}
    async with running_gateway(tmp_path) as world:
        file = world.settings.flags.file
        file.write_text(texts["legacy"])
        world.gateway.control.flags._file._poll_s = 0.0  # type: ignore[attr-defined]
        await asyncio.sleep(0.15)
        stop, told = asyncio.Event(), list[tuple[int, str, str]]()

        async def keep_asking() -> None:
            while not stop.is_set():
                status, headers, _ = await world.speak("Go.")
                told.append((status, headers["X-Flag-Version"], headers["X-Provider"]))

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(keep_asking())
            for turn in range(1_000):
                temporary = file.with_suffix(".new")
                temporary.write_text(texts["qwen" if turn % 2 else "legacy"])
                temporary.replace(file)
                await asyncio.sleep(0.002)
            stop.set()

    assert {status for status, _, _ in told} == {200}
    assert {(version, by) for _, version, by in told} == set(provider.items())
