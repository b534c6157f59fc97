import json
from typing import Any

import pytest
from pydantic import SecretStr

from harness.clock import FakeClock
from harness.emulators.server import QwenOptions, running_qwen
from harness.errors import ErrorKind
from harness.exchanges import Speech
from harness.providers.base import Deadline
from harness.providers.realtime import RealtimeSpeech, Wish
from harness.providers.voices import VoiceRegistry
from harness.speech import Voice
from tests.builders import a_request
from tests.harness.providers.qwen_calls import WISH, OpenQwen, asked, heard
from tests.harness.providers.stubs import Audience, Till, a_server, says
from tests.virtual_time import VirtualClock

ORDER = Wish(text="my secret words", voice="Cherry", language_type="English", instructions=None)
# One session as documented (providers.md A4), the audio two samples long.
CREATED = (
    '{"event_id":"event_a","type":"session.created","session":{"object":"realtime.session","mode":"server_commit",'
    '"model":"qwen3-tts-flash-realtime","voice":"Cherry","response_format":"pcm","sample_rate":24000,"id":"sess_x"}}'
)
UPDATED = CREATED.replace("session.created", "session.updated")
COMMITTED = '{"event_id":"event_b","type":"input_text_buffer.committed","item_id":""}'
RESPONSE = (
    '{"event_id":"event_c","type":"response.created","response":{"id":"resp_x","object":"realtime.response",'
    '"conversation_id":"","status":"in_progress","voice":"Cherry","output":[]}}'
)
ITEM = (
    '{"event_id":"event_d","type":"response.output_item.added","response_id":"resp_x","output_index":0,'
    '"item":{"id":"item_x","object":"realtime.item","type":"message","status":"in_progress","role":"assistant",'
    '"content":[]}}'
)
PART = (
    '{"event_id":"event_e","type":"response.content_part.added","response_id":"resp_x","item_id":"item_x",'
    '"output_index":0,"content_index":0,"part":{"type":"audio","text":""}}'
)
DELTA = (
    '{"event_id":"event_f","type":"response.audio.delta","response_id":"resp_x","item_id":"item_x",'
    '"output_index":0,"content_index":0,"delta":"AQACAA=="}'
)
AUDIO_DONE = (
    '{"event_id":"event_g","type":"response.audio.done","response_id":"resp_x","item_id":"item_x","output_index":0,'
    '"content_index":0}'
)
DONE = (
    '{"event_id":"event_h","type":"response.done","response":{"id":"resp_x","object":"realtime.response",'
    '"conversation_id":"","status":"completed","modalities":["text","audio"],"voice":"Cherry","output":[{"id":"item_x",'
    '"object":"realtime.item","type":"message","status":"completed","role":"assistant","content":[{"type":"audio",'
    '"transcript":""}]}],"usage":{"characters":25}}}'
)
FINISHED = '{"event_id":"event_i","type":"session.finished"}'
ERROR = (
    '{"event_id":"event_j","type":"error","error":{"code":"invalid_value","message":"Session update error: session '
    'already started or finished or failed."}}'
)
SPOKEN = [COMMITTED, RESPONSE, ITEM, PART, DELTA, DELTA, AUDIO_DONE, DONE]


def after(*messages: str, wish: Wish = ORDER) -> tuple[RealtimeSpeech, list[list[str] | None]]:
    speech = RealtimeSpeech(wish, FakeClock())
    return speech, [speech.hear(message) for message in messages]


def test_a_whole_session_is_its_samples_and_its_bill() -> None:
    speech, answers = after(CREATED, UPDATED, *SPOKEN, FINISHED)

    assert speech.problem is None
    assert bytes(speech.pcm.data) == b"\x01\x00\x02\x00" * 2
    assert (speech.reported_chars, speech.request_id, speech.events) == (25, "resp_x", 11)
    assert answers[1:] == [[]] * 9 + [None]
    assert speech.facts() == {
        "delivery": "realtime",
        "stream_pieces": 2,
        "stream_paused_s": 0.0,
        "session": "sess_x",
    }


@pytest.mark.parametrize("instructions", [None, "whisper"])
def test_the_whole_order_is_given_when_the_session_begins(instructions: str | None) -> None:
    _, answers = after(CREATED, wish=Wish(text="Hi.", voice="v", language_type="Auto", instructions=instructions))

    order: list[dict[str, Any]] = [json.loads(message) for message in answers[0] or []]
    assert len({each.pop("event_id") for each in order}) == 3
    session = {
        "voice": "v",
        "mode": "server_commit",
        "language_type": "Auto",
        "response_format": "pcm",
        "sample_rate": 24_000,
    }
    assert order == [
        {"type": "session.update", "session": session | ({"instructions": instructions} if instructions else {})},
        {"type": "input_text_buffer.append", "text": "Hi."},
        {"type": "session.finish"},
    ]


def test_a_text_of_our_own_commitment_is_committed_before_the_session_ends() -> None:
    wish = Wish(text="Hi.", voice="v", language_type="Auto", instructions=None, mode="commit")
    _, answers = after(CREATED, wish=wish)

    order: list[dict[str, Any]] = [json.loads(message) for message in answers[0] or []]
    assert len({each.pop("event_id") for each in order}) == 4
    assert order[0]["session"]["mode"] == "commit"
    assert order[1:] == [
        {"type": "input_text_buffer.append", "text": "Hi."},
        {"type": "input_text_buffer.commit"},
        {"type": "session.finish"},
    ]


def test_a_text_in_several_responses_is_one_speech_and_their_bills_add_up() -> None:
    speech, _ = after(CREATED, *SPOKEN, *SPOKEN, FINISHED)

    assert speech.problem is None
    assert (len(speech.pcm.data), speech.reported_chars) == (16, 50)


def test_it_is_not_over_before_the_session_is() -> None:
    speech, answers = after(CREATED, *SPOKEN)

    assert answers[-1] == []
    assert speech.problem is not None
    assert speech.problem.kind is ErrorKind.TRUNCATED_AUDIO


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        pytest.param(ERROR, ErrorKind.BAD_REQUEST, id="an error that is not about a voice"),
        pytest.param(
            '{"type":"error","error":{"code":"invalid_value","message":"The requested voice \'x\' is not supported."}}',
            ErrorKind.VOICE_NOT_FOUND,
            id="a voice of another model",
        ),
        pytest.param('{"type":"error"}', ErrorKind.BAD_RESPONSE, id="an error without words"),
        pytest.param(DONE.replace('"completed","mod', '"failed","mod'), ErrorKind.OVERLOADED, id="failed"),
        pytest.param(DONE.replace('"completed","mod', '"incomplete","mod'), ErrorKind.TRUNCATED_AUDIO, id="incomplete"),
        pytest.param(DELTA.replace("AQACAA==", "*"), ErrorKind.BAD_RESPONSE, id="not base64"),
        pytest.param("hello", ErrorKind.BAD_RESPONSE, id="no JSON"),
        pytest.param('{"kind":"x"}', ErrorKind.BAD_RESPONSE, id="no type"),
    ],
)
def test_what_goes_wrong_ends_the_conversation(message: str, kind: ErrorKind) -> None:
    speech, answers = after(CREATED, DELTA, message)

    assert answers[-1] is None
    assert speech.problem is not None
    assert speech.problem.kind is kind


def test_an_error_does_not_repeat_the_callers_words() -> None:
    speech, _ = after('{"type":"error","error":{"code":"x","message":"bad: my secret words"}}')

    assert speech.problem is not None
    assert "secret" not in speech.problem.detail


def test_events_of_a_later_version_are_passed_over() -> None:
    speech, answers = after(CREATED, '{"type":"response.mood","mood":"good"}', *SPOKEN, FINISHED)

    assert answers[1] == []
    assert speech.problem is None


async def test_realtime_speech_comes_over_a_conversation_with_models_of_its_own(open_qwen: OpenQwen) -> None:
    till = Till()
    async with running_qwen(QwenOptions(time_scale=0.001), clock=VirtualClock()) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery="realtime")
        exchange = await asked(provider, WISH, till)

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.model == "qwen3-tts-flash-realtime"
    assert exchange.facts["delivery"] == "realtime"
    assert exchange.usage.reported_chars == 21
    assert exchange.timing.first_byte_s is not None
    assert exchange.timing.first_audio_s is not None
    assert len(till.admitted) == 1


async def test_a_voice_made_for_realtime_is_another_than_the_one_for_files(
    open_qwen: OpenQwen, anna: Voice, registry: VoiceRegistry
) -> None:
    async with running_qwen(QwenOptions(time_scale=0.001), clock=VirtualClock()) as standin:
        for delivery in ("file", "realtime"):
            provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery=delivery)
            await provider.prepare_voice(anna, language="en", admission=Till(), deadline=Deadline(VirtualClock(), 9.0))
        exchange = await asked(provider, a_request(voice=anna))

    assert [key.target_model for key in registry.all().values()] == [
        "qwen3-tts-vc-2026-01-22",
        "qwen3-tts-vc-realtime-2026-01-15",
    ]
    assert exchange.outcome == "ok"


async def test_a_refused_handshake_is_an_outcome(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(says({"code": "InvalidApiKey"}, 401)) as api:
        exchange = await asked(await open_qwen(api.url, delivery="realtime"), WISH, till)

    assert exchange.outcome == "auth"
    assert till.amounts == [0]
    assert [(seen.path, seen.query) for seen in api.seen] == [("/api-ws/v1/realtime", "model=qwen3-tts-flash-realtime")]


async def test_a_listener_who_leaves_ends_a_conversation(open_qwen: OpenQwen) -> None:
    till = Till()
    async with running_qwen(QwenOptions(time_scale=0.001), clock=VirtualClock()) as standin:
        provider = await open_qwen(standin.base_url, api_key=SecretStr("sk-stand-in"), delivery="realtime")
        exchange = await heard(provider, Audience(leaves_at=0), till=till)

    assert (exchange.outcome, exchange.attempts, till.amounts) == ("cancelled", 1, [None])


@pytest.mark.parametrize("mode", ["server_commit", "commit"])
async def test_a_text_is_spoken_whole_whoever_decides_where_it_is_split(open_qwen: OpenQwen, mode: str) -> None:
    audience, request = Audience(), a_request("Good morning. And a good evening. Good night!")
    async with running_qwen(QwenOptions(time_scale=0.001), clock=VirtualClock()) as standin:
        provider = await open_qwen(
            standin.base_url, api_key=SecretStr("sk-stand-in"), delivery="realtime", realtime_mode=mode
        )
        exchange = await heard(provider, audience, request)
        billed = standin.account.meter()["total"]["characters"]

    assert isinstance(exchange.result, Speech), exchange.result
    assert exchange.usage.reported_chars == billed == len(request.text)
    assert exchange.result.audio[44:] == audience.pcm
