"""Sessions over DashScope's realtime WebSocket, as browsers and proxies record them (providers.md A4).

One session is one request: what was written to it in pieces is spoken as one text, streamed.
"""

from collections.abc import Mapping
from typing import Any, Final

from harness.errors import ErrorKind
from harness.exchanges import OK
from harness.providers.codes import dashscope_failure
from replay.importers.call_parts import in_known_voice, required
from replay.importers.dashscope_calls import PROVIDER, kind_by_model
from replay.importers.exchanges import HttpExchange, SocketMessage
from replay.importers.json_body import load_object, text_at
from replay.importers.languages import iso_code
from replay.importers.records import Skipped, SpeechCall, Unusable
from replay.importers.responses import length_of
from replay.importers.voice_book import VoiceBook

__all__ = ["session"]

_PCM_BYTES: Final = 2  # a sample, mono


def session(exchange: HttpExchange, voices: VoiceBook) -> SpeechCall:
    """The request that a session was, in the words of its messages."""
    model = exchange.query_value("model") or ""
    if "tts" not in model:
        raise Skipped("a model that does not speak")
    if not exchange.messages:
        raise Unusable("the messages of the session are not in the file")
    told = [(message, _event(message)) for message in exchange.messages]
    wish: dict[str, Any] = {}
    for message, event in told:
        if message.is_sent and event.get("type") == "session.update" and isinstance(event.get("session"), dict):
            wish |= event["session"]
    rate_hz = wish.get("sample_rate")
    rate_hz = rate_hz if isinstance(rate_hz, int) and rate_hz > 0 else 24_000
    call = SpeechCall(
        key=exchange.key,
        captured_at=exchange.captured_at,
        operation="generate",
        text=_text([event for message, event in told if message.is_sent]),
        language=iso_code(text_at(wish, "language_type")),
        voice_kind=kind_by_model(model),
        voice_id=required(text_at(wish, "voice"), "session.voice"),
        instructions=text_at(wish, "instructions") or None,
        response_format=text_at(wish, "response_format") or "pcm",
        sample_rate_hz=rate_hz,
        stream=True,
        observed=_observed(told, rate_hz, wish),
    )
    return in_known_voice(call, voices)


def _event(message: SocketMessage) -> dict[str, Any]:
    """What a message says; nothing where it is no text of ours to understand."""
    try:
        return load_object(message.data)
    except Unusable:
        if message.is_sent:
            raise Unusable("a message that was sent is no sound JSON") from None
        return {}


def _text(sent: list[dict[str, Any]]) -> str:
    if any(event.get("type") == "input_text_buffer.clear" for event in sent):
        raise Unusable("the text was taken back in part; what was spoken cannot be told")
    pieces = [text_at(event, "text") or "" for event in sent if event.get("type") == "input_text_buffer.append"]
    return required("".join(pieces), "input_text_buffer.append")


def _observed(
    told: list[tuple[SocketMessage, dict[str, Any]]], rate_hz: int, wish: Mapping[str, Any]
) -> dict[str, object] | None:
    """Times count from the first message that was sent."""
    received = [(message.at_s, event) for message, event in told if not message.is_sent]
    if not received:
        return None
    began = next((message.at_s for message, _ in told if message.is_sent), None)
    audio_at = [at_s for at_s, event in received if event.get("type") == "response.audio.delta"]
    audio_bytes = sum(length_of(event.get("delta")) for _, event in received)
    is_pcm = wish.get("response_format") in (None, "pcm")
    return {
        "provider": PROVIDER,
        "status": _status([event for _, event in received], audio_bytes),
        "first_byte_s": _between(began, audio_at[0] if audio_at else None),
        "total_s": _between(began, received[-1][0]),
        "audio_s": round(audio_bytes / (_PCM_BYTES * rate_hz), 3) if is_pcm and audio_bytes else None,
    }


def _status(events: list[dict[str, Any]], audio_bytes: int) -> str:
    for event in events:
        if event.get("type") == "error":
            error = event.get("error")
            fields = error if isinstance(error, dict) else {}
            code, message = fields.get("code"), fields.get("message")
            told = (one if isinstance(one, str) else None for one in (code, message))
            return dashscope_failure(200, *told).kind.value
    if not any(event.get("type") == "session.finished" for event in events):
        return ErrorKind.CONN_RESET.value
    return OK if audio_bytes else ErrorKind.EMPTY_AUDIO.value


def _between(start: float | None, end: float | None) -> float | None:
    return round(end - start, 6) if start is not None and end is not None and end >= start else None
