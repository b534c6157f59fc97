"""Voices that a recording has told of so far, so that later requests which only name one are understood.

Holds hashes and words, never audio; the oldest are forgotten when there are many.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["KnownVoice", "VoiceBook"]

_MAX_VOICES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVoice:
    """How a voice was made."""

    kind: str  # "clone" or "design"
    recording_sha256: str | None = None
    transcript: str | None = None
    description: str | None = None
    consent: Mapping[str, object] | None = None


class VoiceBook:
    """Voices by the names a provider or caller gave them, and by the hash of their recording."""

    def __init__(self, *, max_voices: int = _MAX_VOICES) -> None:
        self._max_voices = max_voices
        self._voices: OrderedDict[str, KnownVoice] = OrderedDict()

    def learn(self, voice: KnownVoice, *names: object) -> None:
        """Remember `voice` under each of these names that is one, and under its recording."""
        for name in (*names, voice.recording_sha256):
            if isinstance(name, str) and name:
                self._voices[name] = voice
                self._voices.move_to_end(name)
        while len(self._voices) > self._max_voices:
            self._voices.popitem(last=False)

    def find(self, name: str) -> KnownVoice | None:
        """The voice of this name or recording; None when nothing was told of it."""
        return self._voices.get(name)
