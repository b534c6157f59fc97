"""What is in a file of captures, in numbers: by operation, language, voice, length and outcome."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from harness.exchanges import Capture
from harness.speech import VoiceKind, billed_chars
from replay.picking.strata import stratum_of, traits_of

__all__ = ["Overview", "overview_of", "overview_text"]

_COLUMNS: Final = ("operation", "language", "length", "voice kind", "observed", "consent of clones")


@dataclass(slots=True)
class Overview:
    """Counts of captures."""

    captures: int = 0
    billed_chars: int = 0
    first: datetime | None = None
    last: datetime | None = None
    strata: set[object] = field(default_factory=set)
    voices: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    traits: Counter[str] = field(default_factory=Counter)
    columns: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in _COLUMNS})

    def add(self, capture: Capture) -> None:
        """Count one capture."""
        request, stratum = capture.request, stratum_of(capture)
        self.captures += 1
        self.billed_chars += billed_chars(request.spoken_text)
        self.first = min(self.first or capture.captured_at, capture.captured_at)
        self.last = max(self.last or capture.captured_at, capture.captured_at)
        self.strata.add(stratum)
        self.voices.add(stratum.voice)
        self.users |= {capture.user_key} if capture.user_key else set()
        self.traits.update(traits_of(capture))
        counted = [stratum.operation, stratum.language, stratum.length, request.voice.kind.value]
        counted.append(capture.observed.status if capture.observed else "not recorded")
        for name, value in zip(_COLUMNS, counted, strict=False):
            self.columns[name][value] += 1
        if request.voice.kind is VoiceKind.CLONE:
            self.columns["consent of clones"]["given" if capture.consent else "none"] += 1

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "captures": self.captures,
            "billed_chars": self.billed_chars,
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "strata": len(self.strata),
            "voices": len(self.voices),
            "users": len(self.users),
            "by": {name: dict(counts.most_common()) for name, counts in self.columns.items()},
            "traits": dict(self.traits.most_common()),
        }


def overview_of(captures: Iterable[Capture]) -> Overview:
    """The numbers of all these captures."""
    overview = Overview()
    for capture in captures:
        overview.add(capture)
    return overview


def overview_text(overview: Overview) -> str:
    """The numbers in lines for a person."""
    facts = overview.facts()
    lines = [
        f"{facts['captures']:,} captures, {facts['billed_chars']:,} billed characters, {facts['voices']:,} voices, "
        f"{facts['users']:,} users, {facts['strata']:,} strata",
        f"  {'time':18} {facts['first'] or '-'} to {facts['last'] or '-'}",
    ]
    for name, counts in facts["by"].items():
        if counts:
            lines.append(f"  {name:18} " + ", ".join(f"{value} {count:,}" for value, count in counts.items()))
    lines += [f"  {trait:40} {count:,}" for trait, count in facts["traits"].items()]
    return "\n".join(lines)
