import io
from typing import Any

import aiohttp
import pytest

from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import running_modal
from tests.harness.emulators.callers import Caller

VOICES = "/v1/audio/voices"


async def uploaded(session: aiohttp.ClientSession, base_url: str, sample: bytes | None, **fields: str) -> Any:
    form = aiohttp.FormData(fields)
    if sample is not None:
        form.add_field("audio_sample", io.BytesIO(sample), filename="a.wav", content_type="audio/wav")
    async with session.post(base_url + VOICES, data=form) as reply:
        return reply.status, await reply.json()


async def test_a_voice_is_listed_as_documented(session: aiohttp.ClientSession, wav: bytes) -> None:
    async with running_modal(ModalOptions(dialect=Dialect.VLLM)) as standin:
        await uploaded(session, standin.base_url, wav, name="Anna", consent="c-1", ref_text="Hello.")
        await uploaded(session, standin.base_url, wav, name="Bob", consent="c-2")
        listed = (await Caller(session, standin.base_url).get(VOICES)).json

    anna, bob = listed["uploaded_voices"]
    assert list(anna) == ["name", "consent", "created_at", "file_size", "mime_type", "ref_text"]
    assert (anna["consent"], anna["file_size"], "ref_text" in bob) == ("c-1", len(wav), False)
    assert listed["voices"][-2:] == ["Anna", "Bob"]


@pytest.mark.parametrize(
    ("sample", "fields", "words"),
    [
        (None, {"name": "a", "consent": "c"}, "audio_sample"),
        (b"RIFF", {"consent": "c"}, "name"),
        (b"RIFF", {"name": "a"}, "consent"),
        (bytes((10 << 20) + 1), {"name": "a", "consent": "c"}, "10MB"),
    ],
)
async def test_an_upload_that_lacks_something_is_refused(
    session: aiohttp.ClientSession, sample: bytes | None, fields: dict[str, str], words: str
) -> None:
    async with running_modal(ModalOptions(dialect=Dialect.VLLM)) as standin:
        status, body = await uploaded(session, standin.base_url, sample, **fields)

    assert (status, body["error"]["type"]) == (400, "BadRequestError")
    assert words in body["error"]["message"]


async def test_a_reset_forgets_them(session: aiohttp.ClientSession, wav: bytes) -> None:
    async with running_modal(ModalOptions(dialect=Dialect.VLLM)) as standin:
        caller = Caller(session, standin.base_url)
        await uploaded(session, standin.base_url, wav, name="Anna", consent="c-1")
        await caller.post("/_standin/reset")
        listed = (await caller.get(VOICES)).json

    assert listed["uploaded_voices"] == []
