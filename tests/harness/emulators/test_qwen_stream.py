import base64
import json
import re

import aiohttp
import pytest

from harness.emulators.options import QwenOptions
from harness.emulators.qwen_results import SignedUrl
from harness.emulators.qwen_stream import frames_of, pieces_of
from harness.emulators.server import running_qwen
from harness.speech import billed_chars
from tests.harness.emulators.callers import GOLDEN_TEXT, KEY, SPEAK, Caller, SleepsNoted

STREAMED = {**KEY, "X-DashScope-SSE": "enable"}
LONG_TEXT = "This sentence is spoken in several pieces. " * 2
GOLDEN = (
    b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"finish_reason":"null","audio":{"data":"AAE=",'
    b'"expires_at":1753403234,"id":"audio_r1"}},"usage":{"characters":5},"request_id":"r1"}\n\n'
    b'id:2\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"finish_reason":"null","audio":{"data":"AgM=",'
    b'"expires_at":1753403234,"id":"audio_r1"}},"usage":{"characters":9},"request_id":"r1"}\n\n'
    b'id:3\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"finish_reason":"stop","audio":{"expires_at":1753489634,'
    b'"id":"audio_r1","data":"","url":"http://host/a.wav?Expires=1753489634"}},"usage":{"characters":9},'
    b'"request_id":"r1"}\n\n'
)


def a_body(text: str = LONG_TEXT) -> dict[str, object]:
    return {"model": "qwen3-tts-flash", "input": {"text": text, "voice": "Cherry", "language_type": "English"}}


def test_the_golden_stream_is_written_to_the_byte() -> None:
    frames = frames_of(
        [b"\x00\x01", b"\x02\x03"],
        units=9,
        request_id="r1",
        result=SignedUrl("http://host/a.wav?Expires=1753489634", 1_753_489_634),
        now_unix_s=1_753_403_234,
    )

    assert b"".join(frame.encoded() for frame in frames) == GOLDEN


@pytest.mark.parametrize(
    ("seconds", "pieces_s"),
    [(0.5, [0.5]), (0.96, [0.96]), (2.7, [0.96, 0.72, 0.72, 0.30]), (0.0, [0.0])],
)
def test_audio_leaves_in_the_captured_pieces(seconds: float, pieces_s: list[float]) -> None:
    pcm = bytes(2 * round(24_000 * seconds))

    pieces = pieces_of(pcm)

    assert b"".join(pieces) == pcm
    assert [len(piece) / 48_000 for piece in pieces] == pytest.approx(pieces_s)


async def test_the_pieces_are_the_samples_of_the_file_behind_the_last_event(qwen: Caller) -> None:
    answer = await qwen.post(SPEAK, a_body(), headers=STREAMED)

    events = [json.loads(line.removeprefix(b"data:")) for line in answer.body.split(b"\n") if line.startswith(b"data:")]
    pcm = b"".join(base64.b64decode(event["output"]["audio"]["data"]) for event in events)
    usage = [event["usage"]["characters"] for event in events]
    wav = (await qwen.get(events[-1]["output"]["audio"]["url"], headers={})).body
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert wav[44:] == pcm
    assert len(events) > 4
    assert usage == sorted(usage)
    assert usage[0] < usage[-1] == billed_chars(LONG_TEXT)
    assert re.findall(rb"^id:(\d+)$", answer.body, re.M) == [b"%d" % number for number in range(1, len(events) + 1)]


async def test_a_streamed_voice_is_the_one_that_is_sent_whole(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(seed=7)) as standin:
        caller = Caller(session, standin.base_url)
        whole = await caller.audio_of(await caller.post(SPEAK, a_body()))
    async with running_qwen(QwenOptions(seed=7)) as standin:
        caller = Caller(session, standin.base_url)
        stream = (await caller.post(SPEAK, a_body(), headers=STREAMED)).body

    pcm = b"".join(map(base64.b64decode, re.findall(rb'"data":"([^"]*)"', stream)))
    assert pcm == whole[44:]


async def test_it_is_billed_once_and_as_counted(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        await Caller(session, standin.base_url).post(SPEAK, a_body(GOLDEN_TEXT), headers=STREAMED)

    assert standin.account.meter()["billed"] == {"qwen3-tts-flash": {"characters": 195}}


async def test_an_error_before_the_start_is_no_stream(qwen: Caller) -> None:
    answer = await qwen.post(SPEAK, {"model": "qwen-tts"}, headers=STREAMED)

    assert (answer.status, answer.json["code"]) == (404, "ModelNotFound")
    assert answer.headers["Content-Type"].startswith("application/json")


async def test_the_first_piece_comes_early_and_the_others_evenly(session: aiohttp.ClientSession) -> None:
    clock = SleepsNoted()
    async with running_qwen(QwenOptions(time_scale=1.0), clock=clock) as standin:
        await Caller(session, standin.base_url).post(SPEAK, a_body(), headers=STREAMED)

    first_s, *steps_s = [slept for slept in clock.slept_s if slept > 0]
    assert 0.15 < first_s < 0.8
    assert len(steps_s) >= 4
    assert steps_s == pytest.approx([steps_s[0]] * len(steps_s))
    assert sum(steps_s) > first_s
