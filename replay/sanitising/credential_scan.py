"""The last look at captures before they are published: does any hold a credential, and on which line?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.capturing.credentials import LONG_WORD, may_hold_rule
from harness.capturing.leaks import WORDS, leak_in
from replay.lines import LineFile

__all__ = ["LineLeak", "scan"]

_WORDS_IN_JSON: Final = re.compile(
    '"(?:' + "|".join(sorted(name.rpartition(".")[2] for name in WORDS)) + ')":"([^"]*)"'
)


class LineLeak(NamedTuple):
    """One line that must not be published."""

    line: int
    field: str
    rule: str


def scan(path: Path) -> Iterator[LineLeak]:
    """Every line of a capture file, plain or packed, that holds a credential in any field, known or not.

    Raises:
        CaptureError: The file cannot be read.
    """
    for line in LineFile(path):
        text = line.data.decode()
        if _is_surely_clean(text):
            continue
        fields = _strings(json.loads(text), "")
        leak = next((leak for name, value in fields if (leak := leak_in(name, value))), None)
        if leak:
            yield LineLeak(line.number, *leak)


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
