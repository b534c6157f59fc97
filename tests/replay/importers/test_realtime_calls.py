import json
from pathlib import Path
from typing import Any

import pytest

from replay.importers.exchanges import HttpExchange, SocketMessage
from replay.importers.formats import Format, read_files
from replay.importers.realtime_calls import session
from replay.importers.records import Skipped, SpeechCall, Unusable
from replay.importers.voice_book import VoiceBook
from tests.traffic import a_flow, an_exchange, b64, har, har_entry, tnetstring

PATH = "/api-ws/v1/realtime"
MODEL = "model=qwen3-tts-flash-realtime"
UPDATE = {"type": "session.update", "session": {"voice": "Cherry", "language_type": "English", "mode": "server_commit"}}
SENT = (
    (0.5, UPDATE),
    (0.5, {"type": "input_text_buffer.append", "text": "Good "}),
    (0.6, {"type": "input_text_buffer.append", "text": "morning."}),
    (0.7, {"type": "session.finish"}),
)
AUDIO = {"type": "response.audio.delta", "delta": b64(bytes(24_000))}
HEARD = (
    (0.4, {"type": "session.created", "session": {"id": "s"}}),
    (1.0, AUDIO),
    (1.5, AUDIO),
    (1.7, {"type": "session.finished"}),
)


def messages(*told: tuple[float, dict[str, Any]], is_sent: bool) -> list[SocketMessage]:
    return [SocketMessage(is_sent=is_sent, at_s=at_s, data=json.dumps(event)) for at_s, event in told]


def a_session(sent: Any = SENT, heard: Any = HEARD, **changes: Any) -> HttpExchange:
    both = sorted(messages(*sent, is_sent=True) + messages(*heard, is_sent=False), key=lambda one: one.at_s or 0)
    fields = {"method": "GET", "path": PATH, "query": MODEL, "messages": tuple(both)}
    return an_exchange(b"", **fields | changes)


def test_a_session_is_one_streamed_request() -> None:
    call = session(a_session(), VoiceBook())

    assert (call.operation, call.text, call.language, call.voice_kind) == ("generate", "Good morning.", "en", "preset")
    assert (call.voice_id, call.response_format, call.sample_rate_hz, call.stream) == ("Cherry", "pcm", 24_000, True)
    assert call.observed == {"provider": "qwen", "status": "ok", "first_byte_s": 0.5, "total_s": 1.2, "audio_s": 1.0}


@pytest.mark.parametrize(
    ("heard", "status"),
    [
        (HEARD[:2], "conn_reset"),
        ((HEARD[0], HEARD[3]), "empty_audio"),
        (((1.0, {"type": "error", "error": {"code": "Throttling.RateQuota", "message": "x"}}),), "rate_limited"),
    ],
    ids=["broken off", "silent", "refused"],
)
def test_how_a_session_ended_is_observed(heard: Any, status: str) -> None:
    observed = session(a_session(heard=heard), VoiceBook()).observed

    assert observed is not None
    assert observed["status"] == status


def test_a_session_that_nobody_answered_tells_nothing() -> None:
    assert session(a_session(heard=()), VoiceBook()).observed is None


def test_a_voice_of_ones_own_is_known_by_its_model() -> None:
    assert session(a_session(query="model=qwen3-tts-vc-realtime-2026-01-15"), VoiceBook()).voice_kind == "clone"


@pytest.mark.parametrize(
    ("exchange", "kind", "reason"),
    [
        (a_session(query="model=qwen-omni-realtime"), Skipped, "a model that does not speak"),
        (a_session(query=""), Skipped, "a model that does not speak"),
        (a_session(messages=()), Unusable, "the messages of the session are not in the file"),
        (a_session(sent=SENT[1:]), Unusable, '"session.voice" is missing'),
        (a_session(sent=SENT[:1]), Unusable, '"input_text_buffer.append" is missing'),
        (
            a_session(sent=(*SENT, (0.8, {"type": "input_text_buffer.clear"}))),
            Unusable,
            "the text was taken back in part; what was spoken cannot be told",
        ),
        (
            a_session(messages=(SocketMessage(is_sent=True, at_s=0.0, data="{"),)),
            Unusable,
            "a message that was sent is no sound JSON",
        ),
    ],
)
def test_what_is_no_speech_or_cannot_be_told_is_left_out(
    exchange: HttpExchange, kind: type[Skipped | Unusable], reason: str
) -> None:
    with pytest.raises(kind) as caught:
        session(exchange, VoiceBook())

    assert caught.value.reason == reason


def _har() -> bytes:
    entry = har_entry("", url=f"wss://dashscope-intl.aliyuncs.com{PATH}?{MODEL}", method="GET", status=101)
    entry["_webSocketMessages"] = [
        {"type": "send" if one.is_sent else "receive", "time": one.at_s, "opcode": 1, "data": one.data}
        for one in a_session().messages
    ]
    del entry["request"]["postData"]
    return har(entry)


def _flow() -> bytes:
    flow = a_flow(b"", reply=b"")
    flow["request"] |= {"method": b"GET", "path": f"{PATH}?{MODEL}".encode()}
    told = [
        [1, one.is_sent, one.data if isinstance(one.data, bytes) else one.data.encode(), one.at_s, False, False]
        for one in a_session().messages
    ]
    flow["websocket"] = {"messages": [[2, True, b"\x00", 0.0, False, False], *told], "closed_by_client": None}
    return tnetstring(flow)


@pytest.mark.parametrize("data", [pytest.param(_har(), id="HAR"), pytest.param(_flow(), id="mitmproxy")])
def test_browsers_and_proxies_record_sessions(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "traffic"
    path.write_bytes(data)

    (read,) = read_files([path], Format.AUTO, None)

    assert isinstance(read.outcome, SpeechCall), read.outcome
    assert read.outcome.text == "Good morning."
    assert read.outcome.observed is not None
    assert read.outcome.observed["status"] == "ok"
