"""A synthesis as vLLM-Omni streams it: events with pieces of audio and an end, or the bare samples (providers.md B3).

Which of the two a server sends for the same request depends on its version, so its content type decides.
"""

import base64
import binascii
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.clock import Clock
from harness.exchanges import Failure
from harness.providers.codes import modal_failure
from harness.providers.door import Listener
from harness.providers.incoming import IncomingSpeech, nonsense
from harness.providers.relay import Relay
from harness.providers.sse import Event, EventParser

__all__ = ["EVENTS", "Ears", "OmniStream"]

EVENTS: Final = "text/event-stream"
_SAMPLES: Final = frozenset({"audio/pcm", "audio/l16", "application/octet-stream"})
_BROKE: Final = 500  # the status an error in the stream would have had, when it names none
_END: Final = "[DONE]"  # what OpenAI's own streams end with


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Error(_Part):
    message: str | None = None
    code: Any = None  # a number by the documents; some put a word there


class _Event(_Part):
    """Any event; which keys are there depends on its type."""

    type: str
    audio: str | None = None
    usage: dict[Annotated[str, Field(max_length=64)], Any] | None = None
    error: _Error | None = None


class OmniStream(IncomingSpeech):
    """One reply under way."""

    delivery = "stream"

    def __init__(self, clock: Clock, *, private: tuple[str | None, ...]) -> None:
        """Begin; see `IncomingSpeech`."""
        super().__init__(private=private)
        self.account: dict[str, str] = {}  # tokens, by kind: the server tells them and bills none
        self._clock = clock
        self._parser = EventParser()
        self._is_over = False

    @property
    def is_complete(self) -> bool:
        """See `IncomingSpeech`; bare samples have no end of their own but that of the reply."""
        return self._failure is None and self._is_over

    @property
    def is_heard_of(self) -> bool:
        """Whether the reply was a stream at all."""
        return self.events > 0

    def facts(self) -> dict[str, object]:
        """See `IncomingSpeech`."""
        return self._common_facts()

    def feed(self, content_type: str, piece: bytes) -> None:
        """Take the next piece of the body; a whole file, which an older server may send, is not for us."""
        if content_type in _SAMPLES:
            self.events += 1
            self._is_over = True
            self.pcm.add(piece, at_s=self._clock.monotonic())
        elif content_type == EVENTS:
            for event in self._parser.feed(piece):
                self._take(event)

    def close(self) -> None:
        """The body is over; its last event may lack the blank line."""
        for event in self._parser.finish():
            self._take(event)

    def _take(self, event: Event) -> None:
        if self._failure or self._is_over or event.data == _END:
            return
        self.events += 1
        try:
            told = _Event.model_validate_json(event.data)
        except ValidationError:
            self._failure = nonsense("an event is not the JSON that was agreed on")
            return
        match told.type:
            case "speech.audio.delta":
                self._add(told.audio)
            case "speech.audio.done":
                self._is_over = True
                self.account = {name.replace("_", "-"): str(count)[:20] for name, count in (told.usage or {}).items()}
            case "speech.audio.error":
                self._failure = self._error(told.error or _Error())

    def _add(self, audio: str | None) -> None:
        try:
            samples = base64.b64decode(audio or "", validate=True)
        except (binascii.Error, ValueError):
            self._failure = nonsense("an event holds audio that is not base64")
            return
        self.pcm.add(samples, at_s=self._clock.monotonic())

    def _error(self, error: _Error) -> Failure:
        status = error.code if isinstance(error.code, int) and 400 <= error.code < 600 else _BROKE
        message = error.message or "the stream ended with an error"
        return modal_failure(status, message, message, private=self._private)


class Ears:
    """What hears the replies to one piece of work: a fresh stream for each, or nothing where none was asked for."""

    def __init__(self, clock: Clock, relay: Relay | None, *, private: tuple[str | None, ...]) -> None:
        self.stream: OmniStream | None = None  # of the last reply
        self._clock = clock
        self._relay = relay
        self._private = private

    @property
    def heard(self) -> bool:
        """Whether some of the audio has arrived."""
        return self.stream is not None and self.stream.heard

    def listener(self) -> Listener | None:
        """For the next call."""
        relay = self._relay
        if relay is None:
            return None
        stream = self.stream = OmniStream(self._clock, private=self._private)

        async def listen(content_type: str, piece: bytes) -> None:
            stream.feed(content_type, piece)
            await relay.pass_on(stream.pcm)

        return listen

    def failure_after(self, fault: Failure) -> Failure:
        """What it means that the connection broke."""
        if self.stream is None or self._relay is None:
            return fault
        return self._relay.blamed(self.stream.failure_after(fault) if self.stream.is_heard_of else fault)

    async def close(self) -> OmniStream | None:
        """The stream that was heard to its end; None when the reply came in one piece."""
        stream = self.stream
        if stream is None or self._relay is None:
            return None
        stream.close()
        await self._relay.pass_on(stream.pcm)
        return stream if stream.is_heard_of else None
