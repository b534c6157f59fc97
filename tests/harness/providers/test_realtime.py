import json
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.providers.realtime import RealtimeSpeech, Wish

WISH = Wish(text="my secret words", voice="Cherry", language_type="English", instructions=None)
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


def after(*messages: str, wish: Wish = WISH) -> tuple[RealtimeSpeech, list[list[str] | None]]:
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
