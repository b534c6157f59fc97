"""What a gateway and the process that carries its copies out tell each other, over a socket that only they hold.

A message is two lengths, its JSON and the audio that belongs to it, which goes as it is: it is most of the bytes.
"""

import asyncio
import json
import struct
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import SecretStr, TypeAdapter

from harness.config import Settings
from harness.exchanges import Exchange, Lane, Speech
from harness.gateway.copies import Copy, ShadowCounts

__all__ = ["Begin", "Message", "Offered", "Report", "Throttled", "messages", "packed"]

_CHUNK_BYTES: Final = 1024 * 1024
_LENGTHS: Final = struct.Struct(">II")  # of the JSON, and of all audio behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """To the process, first: what it works with."""

    settings: dict[str, Any] = field(repr=False)  # keys included
    lanes: dict[Lane, str]  # → provider
    processes: int  # that share the day's budget and the quotas

    @classmethod
    def of(cls, settings: Settings, lanes: dict[Lane, str], *, processes: int) -> "Begin":
        """With all settings as they are here, keys included: what a file says now may be something else."""
        values = json.loads(json.dumps(settings.model_dump(), default=_plain))
        return cls(settings=values, lanes=lanes, processes=processes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """To the process: carry this out; there is one report with this number in the end."""

    number: int
    copy: Copy
    wants_outcome: bool  # else how it ended is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """To the process: a caller's own call to this lane was answered 429."""

    lane: Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """From the process: how things stand, at least every few seconds."""

    counts: ShadowCounts  # of this process, since it began
    waiting: int
    spent_microusd: int  # today
    # Copies that are over since the last report, by number, with what became of them where that is wanted, without its
    # audio; None also for one that was never sent.
    ended: Mapping[int, Exchange | None] = field(default_factory=dict)


Message = Begin | Offered | Throttled | Report

_KINDS: Final[dict[str, TypeAdapter[Any]]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Begin, Offered, Throttled, Report)
}
_NOT_SENT: Final = {"Offered": {"copy": {"done"}}}  # stays with whoever waits for the report


def packed(message: Message) -> list[bytes]:
    """The message as it is sent, in parts, so that no audio has to be copied."""
    kind, audio = type(message).__name__, []
    if isinstance(message, Offered):
        audio = [_audio_of(each) for each in message.copy.exchanges.values()]
        mute = {lane: _with_audio(each, b"") for lane, each in message.copy.exchanges.items()}
        message = replace(message, copy=replace(message.copy, exchanges=mute))
    elif isinstance(message, Report):
        message = replace(
            message, ended={number: each and _with_audio(each, b"") for number, each in message.ended.items()}
        )
    text = _KINDS[kind].dump_json(message, exclude=_NOT_SENT.get(kind))
    sizes = ",".join(str(len(each)) for each in audio)
    head = b'{"kind":"%s","audio":[%s],"message":%s}' % (kind.encode(), sizes.encode(), text)
    return [_LENGTHS.pack(len(head), sum(map(len, audio))), head, *filter(None, audio)]


async def messages(reader: asyncio.StreamReader) -> AsyncGenerator[Message, None]:
    """What the other side says, until it has ended; the beginning of a message that it did not finish is nothing."""
    buffer = bytearray()
    while data := await _next(reader):
        buffer += data
        while (end := _end_of_first(buffer)) is not None:
            yield _unpacked(bytes(memoryview(buffer)[:end]))
            del buffer[:end]


async def _next(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK_BYTES)
    except ConnectionError:  # the other side was killed
        return b""


def _end_of_first(buffer: bytearray) -> int | None:
    """Where the first message ends; None while some of it is still to come."""
    if len(buffer) < _LENGTHS.size:
        return None
    end = _LENGTHS.size + sum(_LENGTHS.unpack_from(buffer))
    return end if len(buffer) >= end else None


def _unpacked(data: bytes) -> Message:
    audio_at = _LENGTHS.size + _LENGTHS.unpack_from(data)[0]
    head = json.loads(data[_LENGTHS.size : audio_at])
    message: Message = _KINDS[head["kind"]].validate_python(head["message"])
    if isinstance(message, Offered):
        made = {}
        for (lane, exchange), size in zip(message.copy.exchanges.items(), head["audio"], strict=True):
            made[lane] = _with_audio(exchange, data[audio_at : audio_at + size])
            audio_at += size
        message = replace(message, copy=replace(message.copy, exchanges=made))
    return message


def _audio_of(exchange: Exchange) -> bytes:
    return exchange.result.audio if isinstance(exchange.result, Speech) else b""


def _with_audio(exchange: Exchange, audio: bytes) -> Exchange:
    if not isinstance(exchange.result, Speech):
        return exchange
    return replace(exchange, result=replace(exchange.result, audio=audio))


def _plain(value: object) -> object:
    """What JSON has no word for, among settings."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return list(value) if isinstance(value, frozenset) else str(value)
