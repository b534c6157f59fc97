"""A synthesis over DashScope's realtime WebSocket: what we say to it, and what comes of what it says (providers.md A4).

All the text goes at once, and the server splits it or not (see `Mode`); sessions that are written to as an author
types are not replayed.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.codes import dashscope_failure
from harness.providers.envelope import Usage
from harness.providers.incoming import IncomingSpeech, nonsense

__all__ = ["RealtimeSpeech", "Wish"]

_RATE_HZ: Final = 24_000

# "server_commit": the server splits the text as it sees fit; "commit": it is one response, as a file would be.
Mode = Literal["server_commit", "commit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be said, and how."""

    text: str
    voice: str
    language_type: str
    instructions: str | None
    mode: Mode = "server_commit"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Error(_Part):
    code: str | None = None
    message: str | None = None


class _Response(_Part):
    id: str | None = None
    status: str | None = None
    usage: Usage | None = None


class _Session(_Part):
    id: str | None = None
    model: str | None = None


class _Event(_Part):
    """Any event of the server; which keys are there depends on its type."""

    type: str
    delta: str | None = None
    error: _Error | None = None
    response: _Response | None = None
    session: _Session | None = None


class RealtimeSpeech(IncomingSpeech):
    """One session under way. `hear` is the door's listener."""

    delivery = "realtime"

    def __init__(self, wish: Wish, clock: Clock) -> None:
        super().__init__(private=(wish.text, wish.instructions))
        self._wish = wish
        self._clock = clock
        self._finished = False
        self._session: str | None = None

    @property
    def is_complete(self) -> bool:
        """See `IncomingSpeech`; audio may be followed by more until the session itself is over."""
        return self._finished and self._failure is None

    def facts(self) -> dict[str, object]:
        """See `IncomingSpeech`."""
        return self._common_facts() | ({"session": self._session} if self._session else {})

    def hear(self, message: str) -> list[str] | None:
        """Take one message of the server.

        Returns:
            What to say to it; None when the conversation is over.
        """
        self.events += 1
        try:
            event = _Event.model_validate_json(message)
        except ValidationError:
            self._failure = nonsense("an event is not the JSON that was agreed on")
            return None
        match event.type:
            case "session.created":
                self._session = event.session.id if event.session else None
                return [json.dumps(each) for each in self._order()]
            case "response.created" if event.response:
                self.request_id = event.response.id
            case "response.audio.delta":
                self._add(event.delta)
            case "response.done":
                self._settle(event.response or _Response())
            case "session.finished":
                self._finished = True
            case "error":
                error = event.error or _Error()
                self._failure = dashscope_failure(200, error.code, error.message, private=self._private)
        return None if self._finished or self._failure else []

    def _order(self) -> list[dict[str, Any]]:
        """How to speak, what, and that this is all."""
        wish = self._wish
        session = {
            "voice": wish.voice,
            "mode": wish.mode,
            "language_type": wish.language_type,
            "response_format": "pcm",
            "sample_rate": _RATE_HZ,
        } | ({"instructions": wish.instructions} if wish.instructions else {})
        events: list[dict[str, Any]] = [
            {"type": "session.update", "session": session},
            {"type": "input_text_buffer.append", "text": wish.text},
            # What is not committed is not spoken, unless the server commits by itself.
            *([{"type": "input_text_buffer.commit"}] if wish.mode == "commit" else []),
            {"type": "session.finish"},
        ]
        return [{"event_id": str(uuid4()), **event} for event in events]

    def _add(self, delta: str | None) -> None:
        try:
            samples = base64.b64decode(delta or "", validate=True)
        except (binascii.Error, ValueError):
            self._failure = nonsense("an event holds audio that is not base64")
            return
        self.pcm.add(samples, at_s=self._clock.monotonic())

    def _settle(self, response: _Response) -> None:
        """The end of one response: the server splits a text into several, and each has its own bill."""
        if response.usage and response.usage.characters is not None:
            self.reported_chars = (self.reported_chars or 0) + response.usage.characters
        for kind, count in (response.usage.tokens if response.usage else {}).items():
            self.billed_tokens[kind] = self.billed_tokens.get(kind, 0) + count
        if response.status == "failed":
            self._failure = Failure(kind=ErrorKind.OVERLOADED, code="failed", detail="the response ended as failed")
        elif response.status == "incomplete":
            detail = "the response ended as incomplete"
            self._failure = Failure(kind=ErrorKind.TRUNCATED_AUDIO, code="incomplete", detail=detail)
