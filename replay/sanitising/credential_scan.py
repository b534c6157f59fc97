"""The last look at captures before they are published: does any hold a credential, and on which line?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from replay.lines import LineFile
from replay.sanitising.credentials import find_credential, matches_rule, may_hold_credential

__all__ = ["Leak", "first_leak", "scan"]

# Words are judged by their randomness as well; the others hold hashes, which are random by nature.
_WORDS: Final = frozenset(
    {"text", "instructions", "segment", "voice.description", "voice.reference.transcript", "consent.evidence"}
)
# Hashes that every line has, at the places of the format where they belong.
_HASHES: Final = re.compile(r'"(?:id|user_key|session|sha256)":"(?:hmac:)?[0-9a-f]{24,64}"')


class Leak(NamedTuple):
    """One line that must not be published."""

    line: int
    field: str
    rule: str


def scan(path: Path) -> Iterator[Leak]:
    """Every line of a capture file, plain or packed, that holds a credential in any of its fields.

    Raises:
        CaptureError: The file cannot be read.
    """
    for line in LineFile(path):
        leak = first_leak(line.data.decode(), line.number)
        if leak:
            yield leak


def first_leak(text: str, number: int = 0) -> Leak | None:
    """The first credential in a line of the capture format; None when it holds none."""
    if not may_hold_credential(_HASHES.sub("", text)):
        return None
    for name, value in _strings(json.loads(text), ""):
        rule = find_credential(value) if name in _WORDS else matches_rule(value)
        if rule:
            return Leak(number, name, rule)
    return None


def _strings(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)
