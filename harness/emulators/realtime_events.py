"""What the realtime protocol's server says, in its words and order (providers.md A4). Sends nothing."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

__all__ = ["Message", "Spoken", "error", "event"]

Message = dict[str, Any]


def event(kind: str, **fields: Any) -> Message:
    """A message with an id of its own."""
    return {"event_id": f"event_{uuid4().hex}", "type": kind, **fields}


def error(message: str, *, code: str = "invalid_value") -> Message:
    """Something that was asked for and is not done."""
    return event("error", error={"code": code, "message": message})


class Spoken:
    """One response: every message between its creation and its end."""

    def __init__(self, voice: str) -> None:
        self._voice = voice
        self._id = f"resp_{uuid4().hex}"
        self._item = f"item_{uuid4().hex}"

    def beginning(self) -> Iterator[Message]:
        """Before the audio."""
        yield event("response.created", response={**self._response("in_progress"), "output": []})
        item = {**self._message("in_progress"), "content": []}
        yield event("response.output_item.added", response_id=self._id, output_index=0, item=item)
        yield event("response.content_part.added", **self._place(), part={"type": "audio", "text": ""})

    def audio(self, piece: bytes) -> Message:
        """One piece of it."""
        return event("response.audio.delta", **self._place(), delta=base64.b64encode(piece).decode())

    def ending(self, usage: Mapping[str, int]) -> Iterator[Message]:
        """After the audio."""
        item = {**self._message("completed"), "content": [{"type": "audio", "transcript": ""}]}
        yield event("response.audio.done", **self._place())
        yield event("response.content_part.done", **self._place(), part={"type": "audio", "text": ""})
        yield event("response.output_item.done", response_id=self._id, output_index=0, item=item)
        yield event("response.done", response=self._done("completed", [item], usage))

    def failure(self) -> Message:
        """The end of a response whose audio never came; not billed."""
        return event("response.done", response=self._done("failed", [], {"characters": 0}))

    def _done(self, status: str, output: Sequence[Message], usage: Mapping[str, int]) -> Message:
        response = self._response(status)
        voice = response.pop("voice")
        return {**response, "modalities": ["text", "audio"], "voice": voice, "output": output, "usage": usage}

    def _response(self, status: str) -> Message:
        return {
            "id": self._id,
            "object": "realtime.response",
            "conversation_id": "",
            "status": status,
            "voice": self._voice,
        }

    def _message(self, status: str) -> Message:
        return {
            "id": self._item,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "assistant",
        }

    def _place(self) -> Message:
        return {"response_id": self._id, "item_id": self._item, "output_index": 0, "content_index": 0}
