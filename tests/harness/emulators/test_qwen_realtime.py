from typing import Any

import aiohttp
import pytest

from harness.emulators.audio import decode_recording
from harness.emulators.options import QwenOptions
from harness.emulators.server import running_qwen
from harness.emulators.timbres import median_pitch_hz
from harness.speech import PROBE_TEXTS, billed_chars
from tests.canaries import QWEN_KEY
from tests.harness.emulators.callers import (
    CLEAR,
    COMMIT,
    FINISH,
    KEY,
    REALTIME,
    Caller,
    Message,
    an_append,
    an_update,
    audio_in,
    heard,
    level_db,
    samples_of,
)

RESPONSE = [
    "input_text_buffer.committed",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.audio.delta",
    "response.audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


def kinds(messages: list[Message]) -> list[str]:
    """The types in order, each run of deltas as one."""
    found = [message["type"] for message in messages]
    return [kind for kind, before in zip(found, [None, *found], strict=False) if kind != before or "delta" not in kind]


async def test_a_committed_session_goes_through_every_event_in_order(qwen: Caller) -> None:
    messages = await heard(qwen, an_update(mode="commit"), an_append("Good "), an_append("morning."), COMMIT, FINISH)

    assert kinds(messages) == ["session.created", "session.updated", *RESPONSE, "session.finished"]
    assert len({message["event_id"] for message in messages}) == len(messages)
    done = messages[-2]["response"]
    assert (done["status"], done["usage"]) == ("completed", {"characters": 13})


async def test_each_event_has_the_documented_fields_in_their_order(qwen: Caller) -> None:
    messages = {each["type"]: each for each in await heard(qwen, an_update(), an_append("Good morning."), FINISH)}

    fields = {kind: list(message) for kind, message in messages.items()}
    place = ["response_id", "item_id", "output_index", "content_index"]
    assert fields["response.audio.delta"] == ["event_id", "type", *place, "delta"]
    assert fields["response.audio.done"] == ["event_id", "type", *place]
    assert fields["response.content_part.added"] == ["event_id", "type", *place, "part"]
    assert messages["response.content_part.added"]["part"] == {"type": "audio", "text": ""}
    assert messages["input_text_buffer.committed"]["item_id"] == ""
    response = messages["response.created"]["response"]
    assert response == {
        "id": response["id"],
        "object": "realtime.response",
        "conversation_id": "",
        "status": "in_progress",
        "voice": "Cherry",
        "output": [],
    }
    item = messages["response.output_item.done"]["item"]
    assert messages["response.done"]["response"] == {
        "id": response["id"],
        "object": "realtime.response",
        "conversation_id": "",
        "status": "completed",
        "modalities": ["text", "audio"],
        "voice": "Cherry",
        "output": [item],
        "usage": {"characters": 13},
    }
    assert item == {
        "id": item["id"],
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "audio", "transcript": ""}],
    }


async def test_the_server_commits_sentence_by_sentence_and_bills_every_character(qwen: Caller) -> None:
    text = "It costs 3.5 euros. Really? Yes"

    messages = await heard(qwen, an_update(), an_append(text[:12]), an_append(text[12:]), FINISH)

    done = [message["response"]["usage"]["characters"] for message in messages if message["type"] == "response.done"]
    assert kinds(messages) == ["session.created", "session.updated", *RESPONSE * 3, "session.finished"]
    assert done == [20, 8, 3]
    meter = (await qwen.get("/_standin/meter")).json
    assert meter["billed"] == {"qwen3-tts-flash-realtime": {"characters": billed_chars(text)}}


async def test_a_commit_in_server_mode_speaks_what_is_there(qwen: Caller) -> None:
    messages = await heard(qwen, an_update(), an_append("No end in sight"), COMMIT, FINISH)

    assert kinds(messages) == ["session.created", "session.updated", *RESPONSE, "session.finished"]


async def test_cleared_text_is_neither_spoken_nor_billed(qwen: Caller) -> None:
    messages = await heard(qwen, an_update(mode="commit"), an_append("Never mind."), CLEAR, FINISH)

    assert kinds(messages)[2:] == ["input_text_buffer.cleared", "session.finished"]
    assert (await qwen.get("/_standin/meter")).json["total"] == {}


@pytest.mark.parametrize(
    ("messages", "code", "words"),
    [
        pytest.param([an_update(), COMMIT], "invalid_value", "empty", id="nothing to commit"),
        pytest.param([an_update(voice="Nobody")], "invalid_value", "voice 'Nobody' is not supported", id="voice"),
        pytest.param([an_update(mode="both")], "invalid_value", "mode", id="mode"),
        pytest.param([an_update(volume=101)], "invalid_value", "volume", id="volume"),
        pytest.param([an_update(sample_rate=22_050)], "invalid_value", "sample_rate", id="rate"),
        pytest.param([an_update(language_type="Klingon")], "invalid_value", "language_type", id="language"),
        pytest.param([an_append("No voice was named. ")], "invalid_value", "not supported", id="no voice"),
        pytest.param([{"type": "response.cancel"}], "invalid_value", "response.cancel", id="unknown event"),
        pytest.param(["{"], "invalid_value", "JSON", id="no JSON"),
        pytest.param([an_update(), an_append("Hi"), an_update()], "invalid_value", "already started", id="late"),
    ],
)
async def test_what_cannot_be_done_is_an_error_and_the_session_goes_on(
    qwen: Caller, messages: list[Message | str], code: str, words: str
) -> None:
    answers = await heard(qwen, *messages, CLEAR, FINISH)

    errors = [answer["error"] for answer in answers if answer["type"] == "error"]
    assert [each["code"] for each in errors] == [code]
    assert words in errors[0]["message"]
    assert answers[-1]["type"] == "session.finished"


@pytest.mark.parametrize("extension", ["pcm", "wav", "mp3", "opus"])
@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
async def test_every_format_is_what_it_says(qwen: Caller, extension: str, rate_hz: int) -> None:
    update = an_update(mode="commit", response_format=extension, sample_rate=rate_hz)

    audio = audio_in(await heard(qwen, update, an_append("Good morning to you."), COMMIT, FINISH))

    if extension == "pcm":
        assert 0.8 < len(audio) / 2 / rate_hz < 3
        return
    recording = decode_recording(audio)
    assert 0.8 < recording.duration_s < 3
    assert recording.rate_hz == rate_hz or extension == "opus"  # libsndfile decodes Opus at 48 kHz


async def test_pace_pitch_and_volume_do_what_they_say(qwen: Caller) -> None:
    async def spoken(**session: object) -> Any:
        update = an_update(mode="commit", response_format="wav", **session)
        return samples_of(audio_in(await heard(qwen, update, an_append(PROBE_TEXTS["en"]), COMMIT, FINISH)))

    plain, fast = await spoken(), await spoken(speech_rate=1.6)
    high, soft = await spoken(pitch_rate=1.4), await spoken(volume=25)

    assert len(fast) < 0.8 * len(plain)
    assert median_pitch_hz(high, rate_hz=24_000) == pytest.approx(1.4 * median_pitch_hz(plain, rate_hz=24_000), rel=0.1)
    assert len(high) == pytest.approx(len(plain), rel=0.15)
    assert level_db(soft) == pytest.approx(level_db(plain) - 6.0, abs=0.7)


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/api-ws/v1/realtime", QWEN_KEY, 400),
        ("/api-ws/v1/realtime?model=qwen3-tts-flash", QWEN_KEY, 404),
        (REALTIME, "wrong", 401),
    ],
    ids=["no model", "a model of another kind", "a wrong key"],
)
async def test_a_bad_handshake_opens_nothing(
    qwen: Caller, session: aiohttp.ClientSession, path: str, key: str, status: int
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        await session.ws_connect(qwen.base_url + path, headers={"Authorization": f"Bearer {key}"})

    assert raised.value.status == status


async def test_a_client_that_leaves_midway_leaves_nothing_behind(session: aiohttp.ClientSession) -> None:
    async with running_qwen(QwenOptions(time_scale=0.1)) as standin:
        async with session.ws_connect(standin.base_url + REALTIME, headers=KEY) as socket:
            for message in (an_update(mode="commit"), an_append("A long sentence that is not heard."), COMMIT):
                await socket.send_json(message)
            while (await socket.receive_json())["type"] != "response.audio.delta":
                pass
        answer = await Caller(session, standin.base_url).speak()

    assert answer.status == 200


async def test_a_voice_made_for_the_realtime_model_speaks_there_alone(qwen: Caller, wav: bytes) -> None:
    model = "qwen3-tts-vc-realtime-2026-01-15"
    voice = (await qwen.enrol(wav, target_model=model)).json["output"]["voice"]

    here = await heard(qwen, an_update(voice=voice), FINISH, path=f"/api-ws/v1/realtime?model={model}")
    elsewhere = await heard(qwen, an_update(voice=voice), FINISH)

    assert [message["type"] for message in here] == ["session.created", "session.updated", "session.finished"]
    assert elsewhere[1]["error"]["message"] == f"The requested voice '{voice}' is not supported."


@pytest.mark.parametrize(
    ("fault", "last"),
    [("stream-no-end", "response.audio.delta"), ("stream-error-event", "error"), ("stream-error-data", "error")],
)
async def test_a_session_can_end_in_the_middle_of_a_response(qwen: Caller, fault: str, last: str) -> None:
    await qwen.post("/_standin/faults", {"faults": [{"fault": fault, "path": "*/realtime"}]})

    messages = await heard(qwen, an_update(), an_append("Good morning to all of you. "), FINISH)

    assert messages[-1]["type"] == last
    assert "session.finished" not in kinds(messages)


async def test_a_session_can_be_cut(qwen: Caller) -> None:
    await qwen.post("/_standin/faults", {"faults": [{"fault": "stream-cut", "path": "*/realtime"}]})

    with pytest.raises(AssertionError):  # the helper's own: no close frame came
        await heard(qwen, an_update(), an_append("Good morning to all of you. "), FINISH)
