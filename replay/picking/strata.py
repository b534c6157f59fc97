"""Kinds of requests: the stratum that a capture belongs to, and the traits that it has besides."""

from typing import Final, NamedTuple

from harness.capturing.digits import digit_of
from harness.exchanges import OK, Capture
from harness.speech import billed_chars

__all__ = ["LENGTHS", "Stratum", "stratum_of", "traits_of"]

# Billed characters up to which a text counts as this long. 600 is the most that Qwen takes (providers.md A2).
LENGTHS: Final = (20, 50, 100, 200, 400, 600)


class Stratum(NamedTuple):
    """What decides above all how a request is served; from the field that matters most to the one that does least."""

    operation: str
    language: str  # "auto" where none is given
    length: str
    voice: str


def stratum_of(capture: Capture) -> Stratum:
    """The stratum of a capture."""
    request = capture.request
    chars = billed_chars(request.spoken_text)
    length = next((f"to {limit}" for limit in LENGTHS if chars <= limit), f"over {LENGTHS[-1]}")
    voice = f"{request.voice.kind} {request.voice.id}"
    return Stratum(request.operation.value, request.language or "auto", length, voice)


def traits_of(capture: Capture) -> frozenset[str]:
    """Features of a request that have tripped speech models before, each with its operation."""
    request = capture.request
    text = request.spoken_text
    traits = {
        "digits": any(digit_of(character) is not None for character in text),
        "question": any(mark in text for mark in "?？"),
        "several sentences": sum(map(text.count, ".!?。！？")) > 1,
        "capitals": any(word.isupper() and len(word) > 1 for word in text.split()),
        "two scripts": any(map(_is_latin, text)) and any(map(_is_other_letter, text)),
        "markup": "<" in text and ">" in text,
        "instructions": bool(request.instructions),
        "stream": request.stream,
        "another format": request.response_format != "wav" or request.sample_rate_hz != 24_000,
        "failed in production": capture.observed is not None and capture.observed.status != OK,
    }
    return frozenset(f"{request.operation}: {name}" for name, has in traits.items() if has)


def _is_latin(character: str) -> bool:
    return character < "\u0250" and character.isalpha()


def _is_other_letter(character: str) -> bool:
    return character >= "\u0370" and character.isalpha()
