from pathlib import Path
from typing import Any

import pytest

from tests.gateways import TOKEN, World, running_gateway

REASON = {"who": "ana", "why": "a drill"}


async def post(world: World, path: str, *, token: str = TOKEN, body: Any = REASON) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with world.http.post(world.admin_url + path, json=body, headers=headers) as reply:
        return reply.status, await reply.json()


async def test_the_kill_switch_is_thrown_and_taken_back(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        killed = await post(world, "/kill")
        _, while_killed, _ = await world.speak()
        lifted = await post(world, "/unkill")
        _, afterwards, _ = await world.speak()

        assert (killed[0], killed[1]["killed"] is None) == (200, False)
        assert lifted == (200, {"killed": None})
        assert (while_killed["X-Provider"], afterwards["X-Provider"]) == ("modal", "qwen")


@pytest.mark.parametrize(
    ("token", "body", "status"),
    [("guess", REASON, 401), (TOKEN, {"who": "ana"}, 400), (TOKEN, "x", 400)],
    ids=["a wrong token", "no reason", "no object"],
)
async def test_nothing_changes_without_token_and_reason(tmp_path: Path, token: str, body: Any, status: int) -> None:
    async with running_gateway(tmp_path) as world:
        answer = await post(world, "/kill", token=token, body=body)

        assert answer[0] == status
        assert not world.gateway.control.router.is_killed


async def test_without_a_token_it_only_tells(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, admin_token=None) as world:
        status, body = await post(world, "/kill")

        assert (status, body["error"]["code"]) == (403, "read_only")


async def test_the_status_tells_flag_rollout_and_what_comes_of_both(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={"generate": "canary:2500"}) as world:
        await world.speak()
        async with world.http.get(world.admin_url + "/status") as reply:
            status = await reply.json()
        async with world.http.get(world.admin_url + "/rollout") as reply:
            rollout = await reply.json()

        generate = status["operations"]["generate"]
        assert (generate["flag_share_bp"], generate["rollout"], generate["share_bp"]) == (2_500, "100%", 2_500)
        assert rollout["operations"]["generate"]["name"] == "100%"


async def test_a_drill_is_held_from_here(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        status, body = await post(world, "/drill")
        without, _ = await post(world, "/drill", token="guess")

        assert (status, body["passed"], without) == (200, True, 401)
        assert "none by Qwen" in body["detail"]


async def test_a_drill_while_nobody_gets_qwen_says_what_to_do(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        status, body = await post(world, "/drill")

        assert (status, body["error"]["code"]) == (409, "not_now")
        assert "--local" in body["error"]["message"]
