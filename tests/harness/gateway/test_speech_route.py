import json
from pathlib import Path

import pytest

from harness.speech import Operation
from tests.gateways import running_gateway


async def test_the_same_key_gives_the_same_audio_and_is_paid_once(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        replies = []
        for _ in range(2):
            headers = {**world.headers, "Idempotency-Key": "k1"}
            body = {"input": "Once.", "voice": "Vivian"}
            async with world.http.post(f"{world.base_url}/v1/audio/speech", json=body, headers=headers) as reply:
                replies.append((reply.status, await reply.read()))
        asked = [path for path in world.qwen.account.meter()["requests"] if "generation" in path]

        assert replies[0] == replies[1]
        assert [sum(world.qwen.account.meter()["requests"][path].values()) for path in asked] == [1]


async def test_limits_are_answered_with_when_to_come_again(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}, limits={"requests_per_minute": 2}) as world:
        replies = [await world.speak() for _ in range(3)]

        assert [status for status, _, _ in replies] == [200, 200, 429]
        assert int(replies[2][1]["Retry-After"]) >= 1
        assert json.loads(replies[2][2])["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize(("audio_format", "content_type"), [("mp3", "audio/mpeg"), ("opus", "audio/ogg")])
async def test_audio_comes_under_its_own_name(tmp_path: Path, audio_format: str, content_type: str) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        _, headers, _ = await world.speak(response_format=audio_format)

        assert headers["Content-Type"] == content_type


async def test_a_sticky_voice_is_what_decides(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={Operation.GENERATE: "canary:5000"}) as world:
        first = [(await world.speak())[1]["X-Provider"] for _ in range(3)]
        other = [(await world.speak(key=world.other_key))[1]["X-Provider"] for _ in range(3)]

        # Presets are everybody's, so the caller is what sticks.
        assert len(set(first)) == len(set(other)) == 1


async def test_a_preset_that_nobody_has_is_not_found(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        status, _, body = await world.speak(voice="Nobody")

        assert (status, b"voice_not_found" in body) == (404, True)
        assert world.asked(world.modal) == 0
