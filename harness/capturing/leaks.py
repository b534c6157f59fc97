"""Whether a capture holds a credential, and in which of its fields."""

from typing import Final, NamedTuple

from harness.capturing.credentials import SHORTEST, find_credential, matches_rule
from harness.exchanges import Capture

__all__ = ["WORDS", "Leak", "first_leak", "leak_in"]

# Words are judged by their randomness as well; the others hold hashes, which are random by nature.
WORDS: Final = frozenset(
    {"text", "instructions", "segment", "voice.description", "voice.reference.transcript", "consent.evidence"}
)


class Leak(NamedTuple):
    """A field that holds a credential."""

    field: str
    rule: str


def first_leak(capture: Capture) -> Leak | None:
    """The first field of a capture that holds a credential; None when there is none."""
    request, voice, consent = capture.request, capture.request.voice, capture.consent
    fields = (
        ("text", request.text),
        ("voice.id", voice.id),
        ("instructions", request.instructions),
        ("voice.description", voice.description),
        ("voice.reference.transcript", voice.reference.transcript if voice.reference else None),
        ("user_key", capture.user_key),
        ("session", capture.session),
        ("segment", capture.segment),
        ("consent.evidence", consent.evidence if consent else None),
    )
    return next((leak for name, value in fields if value and (leak := leak_in(name, value))), None)


def leak_in(name: str, value: str) -> Leak | None:
    """Whether the field of this name may not hold this value."""
    if len(value) < SHORTEST:
        return None
    rule = find_credential(value) if name in WORDS else matches_rule(value)
    return Leak(name, rule) if rule else None
