import base64
from pathlib import Path

from harness.speech import Operation
from tests.gateways import running_gateway
from tests.harness.emulators.callers import LONG_ENOUGH, a_recording


async def test_a_voice_designed_at_qwen_leaves_nothing_there_but_the_clone_it_is_spoken_by(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        body = {"description": "An old man with a deep voice.", "preview_text": LONG_ENOUGH}
        async with world.http.post(f"{world.base_url}/v1/voices/design", json=body, headers=world.headers) as reply:
            voice = await reply.json()
        status, headers, _ = await world.speak(voice=voice["id"])

    # Closing waits for what was still to be done.
    assert (status, headers["X-Provider"]) == (200, "qwen")
    assert ["-vc-" in name for name in world.qwen.account.voices] == [True]


async def test_a_clone_whose_makers_are_down_is_not_written_down(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={Operation.CLONE: "legacy"}) as world:
        world.modal.script.load({"faults": [{"fault": "app-error", "times": None}]})
        audio = base64.b64encode(a_recording("alto")).decode()
        body = {"audio": audio, "transcript": LONG_ENOUGH}
        async with world.http.post(f"{world.base_url}/v1/voices/clone", json=body, headers=world.headers) as reply:
            status = reply.status
        async with world.http.get(f"{world.base_url}/v1/voices", headers=world.headers) as reply:
            voices = (await reply.json())["voices"]

        assert (status, {voice["kind"] for voice in voices}) == (503, {"preset"})


async def test_a_recording_of_another_length_is_refused(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        audio = base64.b64encode(a_recording("alto")[: 44 + 10_000]).decode()
        body = {"audio": audio, "transcript": LONG_ENOUGH}
        async with world.http.post(f"{world.base_url}/v1/voices/clone", json=body, headers=world.headers) as reply:
            error = (await reply.json())["error"]

        assert (reply.status, error["code"]) == (400, "bad_reference")
