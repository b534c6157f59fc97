"""What a transcriber is: anything that turns a sound into the words it hears.

Engines: `whisper`, which runs here (see `whisper`), `endpoint`, any server that speaks the field's
`/audio/transcriptions` (see `endpoint`), and `none`. An engine and its version stay with every transcript; those of
two are never compared.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from analysis.audio import FloatArray

__all__ = ["Engine", "Transcriber", "Transcript"]


class Engine(StrEnum):
    """Who transcribes."""

    WHISPER = "whisper"
    ENDPOINT = "endpoint"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was heard."""

    text: str
    language: str | None  # ISO 639-1: as asked for, else as the engine guessed; None when it does not say


class Transcriber(Protocol):
    """Hears words in sound on this machine."""

    def transcribe(self, y: FloatArray, language: str | None) -> Transcript:
        """The words in mono samples at 16 kHz; `language` None: it guesses."""
        ...
