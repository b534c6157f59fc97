"""What an importer makes of a stranger's record: a speech call as it was found, or why there is none.

Nothing here is checked or masked yet; that is the sanitiser's business (replay/sanitising/call_sanitiser.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.capturing.reasons import LeftOut, Skipped, Unusable

__all__ = ["ForeignFormat", "LeftOut", "Place", "Read", "Recording", "Skipped", "SpeechCall", "Unusable"]


class Place(NamedTuple):
    """Where a record stands."""

    file: str  # its name, without folders
    record: int  # line, entry, flow or .gor record, from 1

    def __str__(self) -> str:
        return f"{self.file} record {self.record}"


class ForeignFormat(ValueError):
    """A file is not of the format it is read as; says what to do."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Reference audio somewhere in a source."""

    sha256: str
    read: Callable[[], bytes | None]  # its bytes; None when only its hash is known here


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechCall:
    """One speech request in the terms of the capture format, with everything a stranger wrote still in it."""

    key: str  # what tells it from an equal request: an id of its source
    captured_at: str  # ISO 8601 with its zone
    operation: str
    text: str
    voice_kind: str
    voice_id: str
    id: str | None = None  # where it is a capture already
    language: str | None = None
    transcript: str | None = None  # of the recording
    description: str | None = None
    recording: Recording | None = None
    instructions: str | None = None
    response_format: str = "wav"
    sample_rate_hz: int = 24_000
    stream: bool = False
    user: str | None = None
    session: str | None = None
    segment: str | None = None
    consent: Mapping[str, object] | None = None  # as the capture format has it
    observed: Mapping[str, object] | None = None  # likewise


class Read(NamedTuple):
    """One record and what became of it."""

    place: Place
    outcome: SpeechCall | LeftOut
