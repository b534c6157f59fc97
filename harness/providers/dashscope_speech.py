"""What came of a synthesis at DashScope, from one envelope or a stream of them (providers.md A2, A3)."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.envelope import Audio, Envelope, Output
from harness.providers.incoming import IncomingSpeech
from harness.providers.pcm_stream import PcmStream
from harness.providers.reply import Reply

__all__ = ["Spoken", "decoded", "spoken_from", "streamed_from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An address of audio, or audio itself."""

    reply: Reply
    url: str | None
    audio: bytes | None
    reported_chars: int | None
    facts: Mapping[str, object]
    tokens: Mapping[str, int] = field(default_factory=dict)  # of a model that is billed by them
    stream: PcmStream | None = None  # when each part of `audio` arrived; None where it came in one piece


def spoken_from(reply: Reply, envelope: Envelope) -> Spoken | Failure:
    """What one envelope delivers."""
    output = envelope.output or Output()
    audio = output.audio or Audio()
    inline = decoded(audio.data)
    if not audio.url and not inline:
        return Failure(kind=ErrorKind.BAD_RESPONSE, code=None, detail="the reply names no audio")
    facts = {"audio_id": audio.id, "finish_reason": output.finish_reason, "expires_at": audio.expires_at}
    if audio.id and envelope.request_id and audio.id != f"audio_{envelope.request_id}":
        facts["audio_id_differs"] = True  # perhaps the reply to somebody else's request
    return Spoken(
        reply=reply,
        url=audio.url or None,
        audio=inline,
        reported_chars=envelope.usage.characters if envelope.usage else None,
        tokens=envelope.usage.tokens if envelope.usage else {},
        facts={key: value for key, value in facts.items() if value is not None},
    )


def streamed_from(reply: Reply, stream: IncomingSpeech) -> Spoken:
    """What a complete stream delivers: its own samples, since those are what a listener heard."""
    only_an_address = stream.url is not None and not stream.heard
    return Spoken(
        reply=reply,
        url=stream.url if only_an_address else None,
        audio=None if only_an_address else stream.pcm.wav(),
        reported_chars=stream.reported_chars,
        tokens=stream.billed_tokens,
        facts=stream.facts(),
        stream=stream.pcm if stream.heard else None,
    )


def decoded(encoded: str | None) -> bytes | None:
    """The bytes of a base64 text; None when it is empty or none."""
    try:
        return base64.b64decode(encoded or "", validate=True) or None
    except (binascii.Error, ValueError):
        return None
