"""The gateway as its callers meet it: over real sockets, with both stand-ins behind it."""

from pathlib import Path

from tests.gateways import running_gateway


async def test_legacy_answers_while_the_flags_say_so(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        status, headers, audio = await world.speak()

        assert (status, headers["X-Provider"], headers["X-Route"]) == (200, "modal", "mode")
        assert audio[:4] == b"RIFF"
        assert world.asked(world.qwen) == 0


async def test_qwen_answers_once_flags_and_rollout_allow_it(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        status, headers, audio = await world.speak()

        assert (status, headers["X-Provider"], headers["X-Fallback"]) == (200, "qwen", "none")
        assert audio[:4] == b"RIFF"
        assert world.asked(world.modal) == 0
