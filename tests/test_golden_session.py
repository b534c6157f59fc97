"""A realtime session to the byte, in both directions: the stand-in holds it so, and the client hears it."""

import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from harness.clock import FakeClock
from harness.emulators.server import running_qwen
from harness.providers.realtime import RealtimeSpeech, Wish
from tests.golden import KEY, SAMPLES, ZEROS, settled


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def ws(kind: str, fields: str) -> str:
    return f'{{"event_id":"event_{ZEROS}","type":"{kind}"{fields}}}'


SESSION = (
    '"object":"realtime.session","mode":"server_commit","model":"qwen3-tts-flash-realtime","voice":"{voice}",'
    f'"response_format":"pcm","sample_rate":24000,"id":"sess_{ZEROS}"'
)
RESPONSE = f'"id":"resp_{ZEROS}","object":"realtime.response","conversation_id":"","status":"{{status}}"'
ITEM = f'"id":"item_{ZEROS}","object":"realtime.item","type":"message","status":"{{status}}","role":"assistant"'
PLACE = f',"response_id":"resp_{ZEROS}","item_id":"item_{ZEROS}","output_index":0,"content_index":0'
DONE_ITEM = ITEM.format(status="completed") + ',"content":[{"type":"audio","transcript":""}]'
# One session in which one sentence is said, in the order and the words of the documents (providers.md A4).
REALTIME = [
    ws("session.created", f',"session":{{{SESSION.format(voice="")}}}'),
    ws("session.updated", f',"session":{{{SESSION.format(voice="Cherry")}}}'),
    ws("input_text_buffer.committed", ',"item_id":""'),
    ws("response.created", f',"response":{{{RESPONSE.format(status="in_progress")},"voice":"Cherry","output":[]}}'),
    ws(
        "response.output_item.added",
        f',"response_id":"resp_{ZEROS}","output_index":0,"item":{{{ITEM.format(status="in_progress")},"content":[]}}',
    ),
    ws("response.content_part.added", f'{PLACE},"part":{{"type":"audio","text":""}}'),
    ws("response.audio.delta", f'{PLACE},"delta":"{SAMPLES}"'),
    ws("response.audio.done", PLACE),
    ws("response.content_part.done", f'{PLACE},"part":{{"type":"audio","text":""}}'),
    ws("response.output_item.done", f',"response_id":"resp_{ZEROS}","output_index":0,"item":{{{DONE_ITEM}}}'),
    ws(
        "response.done",
        f',"response":{{{RESPONSE.format(status="completed")},"modalities":["text","audio"],"voice":"Cherry",'
        f'"output":[{{{DONE_ITEM}}}],"usage":{{"characters":13}}}}',
    ),
    ws("session.finished", ""),
]
SAID = [
    ws(
        "session.update",
        ',"session":{"voice":"Cherry","mode":"server_commit","language_type":"English","response_format":"pcm",'
        '"sample_rate":24000}',
    ),
    ws("input_text_buffer.append", ',"text":"Good morning."'),
    ws("session.finish", ""),
]
WISH = Wish(text="Good morning.", voice="Cherry", language_type="English", instructions=None)


def test_the_client_says_the_golden_events_and_hears_the_golden_session() -> None:
    speech = RealtimeSpeech(WISH, FakeClock())

    answers = [speech.hear(message) for message in REALTIME]

    said = [re.sub(r'"event_id": "[^"]*"', f'"event_id": "event_{ZEROS}"', line) for line in answers[0] or []]
    assert [json.loads(line) for line in said] == [json.loads(line) for line in SAID]
    assert [json.dumps(json.loads(line), separators=(",", ":")) for line in said] == SAID
    assert answers[1:] == [[]] * 10 + [None]
    assert (speech.problem, bytes(speech.pcm.data), speech.reported_chars) == (None, b"\x01\x00\x02\x00", 13)


async def test_the_stand_in_holds_the_golden_session(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        url = f"{standin.base_url}/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"
        async with session.ws_connect(url, headers=KEY) as socket:
            for line in SAID:
                await socket.send_str(line)
            heard = [settled(message.data.encode()).decode() async for message in socket]

    assert heard == REALTIME


async def test_the_stand_in_words_its_errors_and_a_cleared_buffer_as_documented(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        url = f"{standin.base_url}/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"
        async with session.ws_connect(url, headers=KEY) as socket:
            for line in (ws("input_text_buffer.clear", ""), SAID[1], SAID[0], ws("session.finish", "")):
                await socket.send_str(line)
            heard = [settled(message.data.encode()).decode() async for message in socket]

    late = "Session update error: session already started or finished or failed."
    assert heard[1] == ws("input_text_buffer.cleared", "")
    assert heard[2] == ws("error", f',"error":{{"code":"invalid_value","message":"{late}"}}')
