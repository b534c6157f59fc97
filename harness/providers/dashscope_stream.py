"""A synthesis as DashScope streams it: events with pieces of audio, the bill and perhaps an error (providers.md A3).

Gets the bytes as they arrive and notes when; what they are worth in the end is asked once the connection is done.
"""

import base64
import binascii

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.codes import dashscope_failure
from harness.providers.envelope import Audio, Envelope, Output, read_envelope
from harness.providers.incoming import IncomingSpeech, nonsense
from harness.providers.sse import Event, EventParser

__all__ = ["SpeechStream"]


class SpeechStream(IncomingSpeech):
    """One reply under way. `feed` is the door's listener; its bill is cumulative, so the last event's counts."""

    delivery = "stream"

    def __init__(self, clock: Clock, *, private: tuple[str | None, ...]) -> None:
        """Begin; see `IncomingSpeech`."""
        super().__init__(private=private)
        self.audio_id: str | None = None
        self.expires_at: int | None = None
        self.finish_reason: str | None = None
        self.repeats = 0  # events that came twice
        self._clock = clock
        self._parser = EventParser()
        self._last: Event | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        for event in self._parser.feed(piece):
            self._take(event)

    def close(self) -> None:
        """The body is over; its last event may lack the blank line, or may be cut in two."""
        for event in self._parser.finish():
            if event.name == "error" or read_envelope(event.data.encode()):
                self._take(event)

    @property
    def is_complete(self) -> bool:
        """Whether the provider itself said that this was all; it says the word "null" while there is more."""
        return self._failure is None and self.finish_reason not in (None, "null")

    def facts(self) -> dict[str, object]:
        """What else is worth keeping."""
        facts: dict[str, object | None] = {
            "audio_id": self.audio_id,
            "finish_reason": self.finish_reason,
            "expires_at": self.expires_at,
            "repeated_events": self.repeats or None,
        }
        return {name: value for name, value in facts.items() if value is not None} | self._common_facts()

    def _take(self, event: Event) -> None:
        if self._failure or self.is_complete:
            return  # the stream ends after an error; what follows the end is not ours
        if self._repeats(event):
            self.repeats += 1
            return
        if self._is_late(event):
            detail = f"event {event.id} came after event {self._last and self._last.id}"
            self._failure = Failure(kind=ErrorKind.TRUNCATED_AUDIO, code=None, detail=detail)
            return
        self._last = event
        self.events += 1
        envelope = read_envelope(event.data.encode())
        if event.name == "error" or (envelope and envelope.code):
            self._failure = self._error(event, envelope)
        elif envelope is None:
            self._failure = nonsense("an event is not the JSON that was agreed on")
        if envelope:
            self.request_id = envelope.request_id or self.request_id
            if not self._failure:
                self._keep(envelope)

    def _repeats(self, event: Event) -> bool:
        """Whether it is the last event once more; a number alone proves nothing, since none is promised."""
        return event.id is not None and event == self._last

    def _is_late(self, event: Event) -> bool:
        """Whether it should have come before the last one: its audio belongs where something else stands by now."""
        last = self._last.id if self._last else None
        return _number(event.id) is not None and (_number(last) or 0) > (_number(event.id) or 0)

    def _error(self, event: Event, envelope: Envelope | None) -> Failure:
        # The reply's own status stays 200: it was sent before anything went wrong.
        status = event.status or 200
        if envelope is None:
            return dashscope_failure(status, None, event.data[:300], private=self._private)
        return dashscope_failure(status, envelope.code or None, envelope.message, private=self._private)

    def _keep(self, envelope: Envelope) -> None:
        output = envelope.output or Output()
        audio = output.audio or Audio()
        try:
            samples = base64.b64decode(audio.data or "", validate=True)
        except (binascii.Error, ValueError):
            self._failure = nonsense("an event holds audio that is not base64")
            return
        self.pcm.add(samples, at_s=self._clock.monotonic())
        if envelope.usage and envelope.usage.characters is not None:
            self.reported_chars = envelope.usage.characters
        if envelope.usage and envelope.usage.tokens:
            self.billed_tokens = envelope.usage.tokens
        self.audio_id = audio.id or self.audio_id
        self.url = audio.url or self.url
        self.expires_at = audio.expires_at or self.expires_at
        self.finish_reason = output.finish_reason or self.finish_reason


def _number(name: str | None) -> int | None:
    return int(name) if name is not None and name.isascii() and name.isdigit() and len(name) < 10 else None
