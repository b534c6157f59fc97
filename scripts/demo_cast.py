"""Who speaks in the demo captures and what they can say, as written in data/demo/texts and data/demo/voices.toml."""

import json
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from harness.speech import LANGUAGES, Reference, Voice, VoiceKind

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
REFERENCES = DEMO / "references.json"  # voice id → hash and transcript of its recording, in DEMO/audio

Item = TypeVar("Item")


class Dice:
    """Seeded choices that come out the same on every Python: only `Random.random` is promised never to change."""

    def __init__(self, seed: str) -> None:
        self._unit = random.Random(seed).random

    def chance(self, share: float) -> bool:
        """True in that share of throws."""
        return self._unit() < share

    def uniform(self, low: float, high: float) -> float:
        """A number from the range."""
        return low + (high - low) * self._unit()

    def whole(self, low: int, high: int) -> int:
        """A whole number from the range, both ends included."""
        return low + int(self._unit() * (high - low + 1))

    def about(self, value: float, spread: float) -> float:
        """`value` with a bell-shaped error, `spread` its relative deviation, never below a tenth."""
        bell = sum(self._unit() for _ in range(12)) - 6
        return max(0.1, 1 + spread * bell) * value

    def pick(self, items: Sequence[Item]) -> Item:
        """One of them, all alike."""
        return items[int(self._unit() * len(items))]

    def weighted(self, weights: Mapping[Item, float]) -> Item:
        """One key, by its weight."""
        left = self._unit() * sum(weights.values())
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return item

    def early(self, items: Sequence[Item]) -> Item:
        """One of them, the n-th with weight 1/n: few are frequent, many are rare."""
        return self.weighted({item: 1 / place for place, item in enumerate(items, 1)})


class Phrasebook:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        book = tomllib.loads((DEMO / "texts" / f"{language}.toml").read_text(encoding="utf-8"))
        self.lines: dict[str, list[str]] = book["lines"]
        self.previews: list[str] = book["previews"]
        self.clone_references: list[str] = book["clone_references"]
        self.design_references: list[str] = book["design_references"]
        self._short: list[str] = book["short"]
        self._slots: dict[str, list[str]] = book["slots"]
        self._joint = "" if language in ("zh", "ja") else " "  # these write no space between sentences

    def short(self, dice: Dice) -> str:
        """A few words."""
        return self._filled(dice.pick(self._short), dice)

    def passage(self, dice: Dice, segment: str, at_least_chars: int) -> str:
        """Neighbouring lines of the segment, as many as it takes, or all of them."""
        lines = [self._filled(line, dice) for line in self.lines[segment]]
        first = last = dice.whole(0, len(lines) - 1)
        while len(text := self._joint.join(lines[first : last + 1])) < at_least_chars:
            if last + 1 < len(lines):
                last += 1
            elif first:
                first -= 1
            else:
                break
        return text

    def preview(self, dice: Dice, sentences: int) -> str:
        """Something to show a voice with."""
        first = dice.whole(0, len(self.previews) - 1)
        chosen = [self.previews[(first + number) % len(self.previews)] for number in range(sentences)]
        return self._joint.join(chosen)

    def _filled(self, line: str, dice: Dice) -> str:
        if "{" not in line:
            return line
        values = {slot: dice.pick(words) for slot, words in self._slots.items()}
        numbers = {
            "digit": dice.whole(0, 9),
            "count": dice.whole(2, 9),
            "pin": dice.whole(100, 999),
            "number": dice.whole(1000, 9999),
        }
        text = line.format(**values, **numbers)
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A voice that needs a recording, and what is said in it."""

    voice_id: str
    language: str
    transcript: str
    description: str | None  # of a designed voice


def _voices() -> dict[str, Any]:
    return tomllib.loads((DEMO / "voices.toml").read_text(encoding="utf-8"))


def parts() -> Iterator[Part]:
    """Every voice with a recording: all clones, then the designs that were kept."""
    voices = _voices()
    for language, names in voices["clones"].items():
        for name, transcript in zip(names, Phrasebook(language).clone_references, strict=True):
            yield Part(voice_id=name, language=language, transcript=transcript, description=None)
    for language in LANGUAGES:
        kept = [row for row in voices["designs"] if row.get("language") == language]
        for row, transcript in zip(kept, Phrasebook(language).design_references, strict=True):
            yield Part(voice_id=row["id"], language=language, transcript=transcript, description=row["description"])


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Every voice of the demo."""

    presets: dict[str, list[Voice]]  # by language
    clones: dict[str, list[Voice]]  # by language, the recording with them
    kept_designs: dict[str, list[Voice]]  # by language, the kept preview with them
    designs: list[Voice]  # all that were designed, without recordings

    @classmethod
    def load(cls) -> "Cast":
        """The cast as the files tell it; the recordings must have been made."""
        voices = _voices()
        recordings: dict[str, dict[str, str]] = json.loads(REFERENCES.read_text(encoding="utf-8"))
        references = {voice_id: Reference(**recording) for voice_id, recording in recordings.items()}
        designs = [
            Voice(kind=VoiceKind.DESIGN, id=row["id"], description=row["description"]) for row in voices["designs"]
        ]
        kept: dict[str, list[Voice]] = {language: [] for language in LANGUAGES}
        for voice, row in zip(designs, voices["designs"], strict=True):
            if "language" in row:
                kept[row["language"]].append(replace(voice, reference=references[voice.id]))
        presets: dict[str, list[Voice]] = {language: [] for language in LANGUAGES}
        for name, languages in voices["presets"].items():
            for language in languages:
                presets[language].append(Voice(kind=VoiceKind.PRESET, id=name))
        clones = {
            language: [Voice(kind=VoiceKind.CLONE, id=name, reference=references[name]) for name in names]
            for language, names in voices["clones"].items()
        }
        return cls(presets=presets, clones=clones, kept_designs=kept, designs=designs)
