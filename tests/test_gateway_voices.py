"""Voices that callers make: both providers can speak them, nobody else sees them, and nothing is paid twice."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateways import World, running_gateway
from tests.harness.emulators.callers import LONG_ENOUGH, a_recording

CONSENT = {"scope": ["clone:qwen", "replay"]}


async def made(world: World, path: str, body: Any, *, key: str | None = None, **headers: str) -> tuple[int, Any]:
    every = {"Authorization": f"Bearer {key or world.key}", **headers}
    async with world.http.post(f"{world.base_url}/v1/voices/{path}", json=body, headers=every) as reply:
        return reply.status, await reply.json()


def a_clone(**changes: Any) -> dict[str, Any]:
    audio = base64.b64encode(a_recording("alto")).decode()
    return {"audio": audio, "transcript": LONG_ENOUGH, "consent": CONSENT, **changes}


def a_design(**changes: Any) -> dict[str, Any]:
    return {"description": "An old man with a deep voice.", "preview_text": LONG_ENOUGH, **changes}


@pytest.mark.parametrize("modes", [{}, None], ids=["at legacy", "at qwen"])
@pytest.mark.parametrize(("path", "body"), [("clone", a_clone()), ("design", a_design())], ids=["clone", "design"])
async def test_a_voice_speaks_at_either_provider_wherever_it_was_made(
    tmp_path: Path, modes: Any, path: str, body: dict[str, Any]
) -> None:
    async with running_gateway(tmp_path, modes=modes) as world:
        status, voice = await made(world, path, body)
        spoken = {}
        for mode in ("legacy", "qwen"):
            world.set_flags(generate=mode)
            await settled()
            spoken[mode] = await world.speak(voice=voice["id"])

        assert (status, voice["kind"]) == (201, path)
        assert base64.b64decode(voice["preview"])[:4] == b"RIFF"
        assert [(reply[0], reply[1]["X-Provider"]) for reply in spoken.values()] == [(200, "modal"), (200, "qwen")]


async def settled() -> None:
    """Until a changed flag file is looked at."""
    await asyncio.sleep(0.15)


async def test_a_recording_comes_as_a_form_too(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        form = aiohttp.FormData()
        form.add_field("audio", a_recording("bass"), filename="a.wav", content_type="audio/wav")
        form.add_field("transcript", LONG_ENOUGH)
        form.add_field("consent", '{"scope": ["replay"]}')
        url = f"{world.base_url}/v1/voices/clone"
        async with world.http.post(url, data=form, headers=world.headers) as reply:
            voice = await reply.json()

        assert (reply.status, voice["kind"]) == (201, "clone")


@pytest.mark.parametrize("named", [{}, {"filename": "consent.json"}], ids=["typed", "as a file"])
async def test_a_consent_that_is_sent_as_json_of_a_form_is_not_passed_over(
    tmp_path: Path, named: dict[str, str]
) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        form = aiohttp.FormData()
        form.add_field("audio", a_recording("bass"), content_type="audio/wav", filename="a.wav")
        form.add_field("transcript", LONG_ENOUGH)
        form.add_field("consent", '{"scope": ["clone:qwen"]}', content_type="application/json", **named)
        async with world.http.post(f"{world.base_url}/v1/voices/clone", data=form, headers=world.headers) as reply:
            voice = await reply.json()
        (booked,) = world.gateway.parts.voices.everybodys()

    assert (reply.status, booked.voice.id) == (201, voice["id"])
    assert booked.consent is not None
    assert booked.consent.scope == ("clone:qwen",)


async def test_nobody_sees_speaks_or_deletes_anothers_voice(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        _, voice = await made(world, "clone", a_clone())
        stranger = {"Authorization": f"Bearer {world.other_key}"}

        status, _, body = await world.speak(voice=voice["id"], key=world.other_key)
        async with world.http.get(f"{world.base_url}/v1/voices", headers=stranger) as reply:
            seen = await reply.json()
        async with world.http.delete(f"{world.base_url}/v1/voices/{voice['id']}", headers=stranger) as reply:
            deleted = reply.status
        async with world.http.get(f"{world.base_url}/v1/voices", headers=world.headers) as reply:
            own = await reply.json()

        assert (status, b"voice_not_found" in body, deleted) == (404, True, 404)
        assert voice["id"] not in [each["id"] for each in seen["voices"]]
        assert voice["id"] in [each["id"] for each in own["voices"]]


async def test_a_deleted_voice_is_gone(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        _, voice = await made(world, "design", a_design())
        async with world.http.delete(f"{world.base_url}/v1/voices/{voice['id']}", headers=world.headers) as reply:
            assert reply.status == 204

        status, _, _ = await world.speak(voice=voice["id"])

        assert status == 404


async def test_the_same_key_makes_and_pays_once(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        headers = {"Idempotency-Key": "k1"}
        first = await made(world, "design", a_design(), **headers)
        asked = world.asked(world.qwen)
        again = await made(world, "design", a_design(), **headers)
        other = await made(world, "design", a_design(description="A young woman."), **headers)

        assert first == again
        assert world.asked(world.qwen) == asked
        assert (other[0], other[1]["error"]["code"]) == (422, "idempotency_key_reused")


async def test_without_consent_a_recording_stays_away_from_qwen(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={"generate": "qwen"}) as world:
        _, voice = await made(world, "clone", a_clone(consent={"scope": ["replay"]}))

        status, headers, _ = await world.speak(voice=voice["id"])

        assert (status, headers["X-Provider"], headers["X-Fallback"]) == (200, "modal", "unsupported")
        assert world.asked(world.qwen) == 0


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"audio": "no base64!"}, 400, "bad_reference"),
        ({"audio": base64.b64encode(b"no audio").decode()}, 400, "bad_reference"),
        ({"transcript": " "}, 400, "invalid_parameter"),
        ({"transscript": "x"}, 400, "unknown_parameter"),
        ({"language": "xx"}, 400, "invalid_parameter"),
    ],
)
async def test_a_clone_that_cannot_be_is_refused_before_anybody_is_asked(
    tmp_path: Path, changes: dict[str, Any], status: int, code: str
) -> None:
    async with running_gateway(tmp_path) as world:
        found, body = await made(world, "clone", a_clone(**changes))

        assert (found, body["error"]["code"]) == (status, code)
        assert (world.asked(world.qwen), world.asked(world.modal)) == (0, 0)


async def test_a_form_with_broken_headers_is_refused(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        body = b'--x\r\nContent-Disposition: form-data; name="p\x02"\r\n\r\nvalue\r\n--x--\r\n'
        headers = {**world.headers, "Content-Type": "multipart/form-data; boundary=x"}
        async with world.http.post(f"{world.base_url}/v1/voices/clone", data=body, headers=headers) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (400, "invalid_form")
