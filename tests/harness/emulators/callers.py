"""What the tests of the stand-ins say to them, and listen with."""

import base64
import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np

from harness.clock import FakeClock
from harness.emulators.audio import RATE_HZ, Samples, encode_wav
from harness.emulators.timbres import CAST
from harness.emulators.voices import Line, Rendition, speak
from tests.canaries import QWEN_KEY

KEY = {"Authorization": f"Bearer {QWEN_KEY}"}
SPEAK = "/api/v1/services/aigc/multimodal-generation/generation"
CUSTOMIZE = "/api/v1/services/audio/tts/customization"
REALTIME = "/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"

# The sample of the provider's own documents; its bill was captured twice (providers.md A8).
GOLDEN_TEXT = (
    "那我来给大家推荐一款T恤，这款呢真的是超级好看，这个颜色呢很显气质，而且呢也是搭配的绝佳单品，"
    "大家可以闭眼入，真的是非常好看，对身材的包容性也很好，不管啥身材的宝宝呢，穿上去都是很好看的。推荐宝宝们下单哦。"
)
LONG_ENOUGH = "This is a recording of my own voice, and it lasts for more than three seconds."


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """One client of one stand-in; follows no redirect unless told."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self.session = session
        self.base_url = base_url

    async def post(
        self, path: str, body: Any = None, *, data: bytes | None = None, headers: Mapping[str, str] = KEY
    ) -> Answer:
        data = json.dumps(body).encode() if data is None else data
        async with self.session.post(
            self.base_url + path, data=io.BytesIO(data), headers=dict(headers), allow_redirects=False
        ) as reply:
            return Answer(status=reply.status, headers=reply.headers, body=await reply.read())

    async def get(self, path: str, *, headers: Mapping[str, str] = KEY) -> Answer:
        url = path if path.startswith("http") else self.base_url + path
        async with self.session.get(
            aiohttp.client.URL(url, encoded=True), headers=dict(headers), allow_redirects=False
        ) as reply:
            return Answer(status=reply.status, headers=reply.headers, body=await reply.read())

    async def speak(self, text: str = "Good morning.", **content: Any) -> Answer:
        model = content.pop("model", "qwen3-tts-flash")
        return await self.post(SPEAK, {"model": model, "input": {"text": text, "voice": "Cherry", **content}})

    async def audio_of(self, answer: Answer) -> bytes:
        """The bytes behind the address of a synthesis."""
        assert answer.status == 200, answer.body
        return (await self.get(answer.json["output"]["audio"]["url"], headers={})).body

    async def enrol(self, recording: bytes, **content: Any) -> Answer:
        content = {
            "action": "create",
            "target_model": "qwen3-tts-vc-2026-01-22",
            "preferred_name": "test",
            "audio": {"data": "data:audio/wav;base64," + base64.b64encode(recording).decode()},
            **content,
        }
        return await self.post(CUSTOMIZE, {"model": "qwen-voice-enrollment", "input": content})

    async def design(self, description: str = "A calm narrator.", *, parameters: Any = None, **content: Any) -> Answer:
        content = {
            "action": "create",
            "target_model": "qwen3-tts-vd-2026-01-26",
            "voice_prompt": description,
            "preview_text": "Hello everyone, welcome.",
            "preferred_name": "test",
            "language": "en",
            **content,
        }
        body = {"model": "qwen-voice-design", "input": content, "parameters": parameters}
        return await self.post(CUSTOMIZE, body)

    async def clone(self, text: str = "Good morning.", *, recording: bytes, **content: Any) -> Answer:
        body = {
            "text": text,
            "language": "English",
            "ref_text": LONG_ENOUGH,
            "ref_audio_base64": base64.b64encode(recording).decode(),
            **content,
        }
        return await self.post("/clone", body)


Message = dict[str, Any]


def an_update(**session: object) -> Message:
    return {"event_id": "e1", "type": "session.update", "session": {"voice": "Cherry", **session}}


def an_append(text: str) -> Message:
    return {"event_id": "e2", "type": "input_text_buffer.append", "text": text}


COMMIT: Message = {"event_id": "e3", "type": "input_text_buffer.commit"}
CLEAR: Message = {"event_id": "e4", "type": "input_text_buffer.clear"}
FINISH: Message = {"event_id": "e5", "type": "session.finish"}


async def heard(caller: Caller, *messages: Message | str, path: str = REALTIME) -> list[Message]:
    """All that the server says when it is told these, until it closes."""
    async with caller.session.ws_connect(caller.base_url + path, headers=KEY) as socket:
        for message in messages:
            await socket.send_str(message if isinstance(message, str) else json.dumps(message))
        answers = [json.loads(frame.data) async for frame in socket]
    assert socket.close_code == 1000
    return answers


def audio_in(messages: list[Message]) -> bytes:
    return b"".join(base64.b64decode(each["delta"]) for each in messages if each["type"] == "response.audio.delta")


class SleepsNoted(FakeClock):
    """A clock that tells how long a stand-in slept each time."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_s: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        await super().sleep(seconds)


def a_line(
    text: str = "Good morning.", *, timbre: str = "alto", language: str = "en", take: int = 1, **more: Any
) -> Line:
    return Line(
        text=text,
        language=language,
        timbre=CAST[timbre],
        rendition=more.pop("rendition", Rendition.LEGACY),
        take=take,
        **more,
    )


def a_recording(timbre: str = "alto", *, text: str = LONG_ENOUGH) -> bytes:
    return encode_wav(speak(a_line(text, timbre=timbre)))


def samples_of(wav: bytes) -> Samples:
    """The samples of one of our own WAV files, its header checked to the byte."""
    size = len(wav) - 44
    form = struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    assert wav[:44] == b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + form + b"data" + struct.pack("<I", size)
    return np.frombuffer(wav[44:], "<i2").astype(np.float32) / 32_768


def level_db(samples: Samples) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9))
