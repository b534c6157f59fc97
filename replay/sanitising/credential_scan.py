"""The last look at captures before they are published: does any hold a credential, and on which line?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.exchanges import Capture
from replay.lines import LineFile
from replay.sanitising.credentials import LONG_WORD, SHORTEST, find_credential, matches_rule, may_hold_rule

__all__ = ["Leak", "first_leak", "scan"]

# Words are judged by their randomness as well; the others hold hashes, which are random by nature.
_WORDS: Final = frozenset(
    {"text", "instructions", "segment", "voice.description", "voice.reference.transcript", "consent.evidence"}
)
_WORDS_IN_JSON: Final = re.compile(
    '"(?:' + "|".join(sorted(name.rpartition(".")[2] for name in _WORDS)) + ')":"([^"]*)"'
)


class Leak(NamedTuple):
    """One line that must not be published."""

    line: int
    field: str
    rule: str


def first_leak(capture: Capture) -> Leak | None:
    """The first field of a capture that holds a credential, as of line 0; None when there is none."""
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
    return next((leak for name, value in fields if value and (leak := _leak(0, name, value))), None)


def scan(path: Path) -> Iterator[Leak]:
    """Every line of a capture file, plain or packed, that holds a credential in any field, known or not.

    Raises:
        CaptureError: The file cannot be read.
    """
    for line in LineFile(path):
        text = line.data.decode()
        if _is_surely_clean(text):
            continue
        fields = _strings(json.loads(text), "")
        leak = next((leak for name, value in fields if (leak := _leak(line.number, name, value))), None)
        if leak:
            yield leak


def _is_surely_clean(text: str) -> bool:
    """Whether nothing in a line can be a credential, by a look that costs a third of taking it apart."""
    if "\\" in text or may_hold_rule(text):
        return False
    return not any(LONG_WORD.search(words) for words in _WORDS_IN_JSON.findall(text))


def _strings(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if inner is not None:
                yield from _strings(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)


def _leak(line: int, name: str, value: str) -> Leak | None:
    if len(value) < SHORTEST:
        return None
    rule = find_credential(value) if name in _WORDS else matches_rule(value)
    return Leak(line, name, rule) if rule else None
