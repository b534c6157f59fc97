"""Server-sent events out of bytes that arrive in any pieces, with the liberties that DashScope takes (providers.md A3).

Knows frames and nothing of what they carry. Follows the HTML standard's event stream, and beyond it reads a status
from a comment or a field, and lets the last event do without its blank line.
"""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Event", "EventParser"]

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"
_STATUS: Final = re.compile(r"HTTP_STATUS/([1-5][0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; only those with data count."""

    name: str  # "message" where it has none
    data: str  # its data lines, joined by line feeds
    id: str | None = None  # as its own field says; the standard's "last event id" is not kept
    status: int | None = None  # as a comment `:HTTP_STATUS/…` or a field `status:…` says


class EventParser:
    """Turns pieces of a stream into events. What it holds back is at most one event."""

    def __init__(self) -> None:
        self._pending = bytearray()  # a line that has no end yet
        self._searched = 0  # how much of it surely holds no end
        self._begun = False
        self._data: list[str] = []
        self._name = ""
        self._id: str | None = None
        self._status: int | None = None

    def feed(self, piece: bytes) -> list[Event]:
        """The events that `piece` completes."""
        self._pending += piece
        if not self._begun:
            if len(self._pending) < len(_BOM) and _BOM.startswith(self._pending):
                return []  # perhaps the beginning of a byte order mark
            self._begun = True
            del self._pending[: len(_BOM) * self._pending.startswith(_BOM)]
        events: list[Event] = []
        start = 0
        for match in _LINE_END.finditer(self._pending, self._searched):
            if match.end() == len(self._pending) and match[0] == b"\r":
                break  # its line feed may come with the next piece
            self._take(bytes(self._pending[start : match.start()]), events)
            start = match.end()
        del self._pending[:start]
        self._searched = len(self._pending) - self._pending.endswith(b"\r")
        return events

    def finish(self) -> list[Event]:
        """The event that the end of the stream completes: some services omit the blank line after the last."""
        events: list[Event] = []
        line = bytes(self._pending).removesuffix(b"\r")
        self._pending.clear()
        self._searched = 0
        if line:
            self._take(line, events)
        self._take(b"", events)
        return events

    def _take(self, line: bytes, events: list[Event]) -> None:
        """One line without its end."""
        if not line:
            if self._data:
                name, data = self._name or "message", "\n".join(self._data)
                events.append(Event(name=name, data=data, id=self._id, status=self._status))
            self._forget()
            return
        text = line.decode(errors="replace")
        if text.startswith(":"):
            match = _STATUS.match(text[1:].strip())
            self._status = int(match[1]) if match else self._status
            return
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id":
            self._id = value
        elif name == "status" and re.fullmatch(r"[1-5][0-9]{2}", value):
            self._status = int(value)

    def _forget(self) -> None:
        self._data, self._name, self._id, self._status = [], "", None, None
