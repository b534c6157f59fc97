"""What a caller asks a provider to say, and when two requests are the same.

How a provider spells any of it on the wire is that provider's business.
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "LANGUAGES",
    "PROBE_TEXTS",
    "Operation",
    "Reference",
    "SpeechRequest",
    "Voice",
    "VoiceKind",
    "billed_chars",
]


class Operation(StrEnum):
    """The three things a company asks of a speech provider."""

    GENERATE = "generate"
    CLONE = "clone"
    DESIGN = "design"


class VoiceKind(StrEnum):
    """Where a voice came from."""

    PRESET = "preset"
    CLONE = "clone"
    DESIGN = "design"


# ISO 639-1 → the English name, for the ten languages both providers speak (providers.md A2, B2).
LANGUAGES: Final = MappingProxyType(
    {
        "zh": "Chinese",
        "en": "English",
        "de": "German",
        "it": "Italian",
        "pt": "Portuguese",
        "es": "Spanish",
        "ja": "Japanese",
        "ko": "Korean",
        "fr": "French",
        "ru": "Russian",
    }
)

# A clone returns no audio of its own, so both providers then say the same sentence.
PROBE_TEXTS: Final = MappingProxyType(
    {
        "zh": "今天天气很好，我们一起去公园散步吧。",
        "en": "The weather is lovely today, let us take a walk in the park.",
        "de": "Das Wetter ist heute schön, lass uns im Park spazieren gehen.",
        "it": "Oggi il tempo è bello, andiamo a fare una passeggiata nel parco.",
        "pt": "O tempo está lindo hoje, vamos passear no parque.",
        "es": "Hoy hace muy buen tiempo, vamos a dar un paseo por el parque.",
        "ja": "今日は天気がとてもいいので、公園を散歩しましょう。",
        "ko": "오늘은 날씨가 아주 좋으니 공원에서 산책합시다.",
        "fr": "Il fait beau aujourd'hui, allons nous promener dans le parc.",
        "ru": "Сегодня прекрасная погода, давайте погуляем в парке.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A recording that a voice is made from; its bytes lie in a blob store under the hash."""

    sha256: str
    transcript: str | None  # what is said in it, word for word


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who speaks."""

    kind: VoiceKind
    id: str  # the caller's own name for it, never a provider's
    reference: Reference | None = None  # clone: its source; design: the preview that was kept
    description: str | None = None  # design: the words it was made from


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """One wish of one caller."""

    operation: Operation
    text: str  # generate: to be spoken; design: the preview; clone: empty, a probe is spoken
    language: str | None  # ISO 639-1, lower case; None lets the provider guess
    voice: Voice
    instructions: str | None = None
    response_format: str = "wav"
    sample_rate_hz: int = 24_000
    stream: bool = False

    @property
    def spoken_text(self) -> str:
        """The words that come back as audio: the text, or for a clone without one the probe."""
        return self.text or PROBE_TEXTS.get(self.language or "en", PROBE_TEXTS["en"])

    def fingerprint(self) -> str:
        """SHA-256 over everything that shapes the audio: equal requests, equal fingerprints."""
        voice = self.voice
        reference = voice.reference
        parts = [
            self.operation,
            self.text,
            self.language,
            voice.kind,
            voice.id,
            reference and [reference.sha256, reference.transcript],
            voice.description,
            self.instructions,
            self.response_format,
            self.sample_rate_hz,
            self.stream,
        ]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


# Han by Unicode block: unified ideographs with extensions A to J, compatibility ideographs, 々〇 and
# the Hangzhou numerals. Kana and Hangul are "other" (providers.md A8).
_HAN_RANGES: Final = (
    (0x3005, 0x3005),
    (0x3007, 0x3007),
    (0x3021, 0x3029),
    (0x3038, 0x303B),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2FA1F),
    (0x30000, 0x33479),
)


def billed_chars(text: str) -> int:
    """Characters as Qwen bills them: a Han character counts 2, any other 1 (providers.md A8)."""
    return len(text) + sum(
        any(low <= ord(character) <= high for low, high in _HAN_RANGES) for character in text if character > "\u3004"
    )
