"""What a verdict demands, as a person wrote it in `thresholds.toml`.

Loading checks every key and choice and names what is wrong; the kinds of gates are in `gates.py`.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from analysis.gates import KINDS, Condition, Gate, GateBase, Section
from harness.errors import ConfigError
from harness.speech import Operation

__all__ = ["MAX_BLOCKING_GATES", "Stats", "Thresholds"]

# Each further gate takes its toll of the chance that a fine candidate passes all (verdicts.md 2.3 E, correction 7).
MAX_BLOCKING_GATES: Final = 10


class Stats(Section):
    """How much evidence is enough."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05  # chance of a wrong pass, one-sided, each gate
    min_pairs: Annotated[int, Field(ge=1)] = 500  # distinct captures answered in both lanes, each operation
    min_voices: Annotated[int, Field(ge=1)] = 20  # clone and design only
    min_days: Annotated[int, Field(ge=1)] = 3  # distinct UTC dates on which they were sent
    max_age_days: Annotated[int, Field(ge=1)] = 45  # older than this at the newest run's end: left out
    min_pair_completeness: Annotated[float, Field(ge=0, le=1)] = 0.98
    max_pairs_per_voice: Annotated[int, Field(ge=1)] | None = None  # clone and design; None: see voice_cap
    segments: tuple[Literal["language", "length", "voice", "segment"], ...] = ("language", "length", "voice")
    segment_min_pairs: Annotated[int, Field(ge=1)] = 30  # a smaller part of the pairs has no say

    @property
    def voice_cap(self) -> int:
        """The most pairs one cloned or designed voice may contribute (verdicts.md, correction 3)."""
        return self.max_pairs_per_voice or max(20, -(-self.min_pairs // self.min_voices))


class _File(Section):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    note: str | None = None  # shown wherever the verdict is
    stats: Stats = Stats()
    gate: Annotated[dict[str, Annotated[Gate, Field(discriminator="kind")]], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """One thresholds file, checked."""

    name: str  # of the file, as it is shown and recorded
    sha256: str  # of its bytes: a changed limit is another file
    text: str  # the file as it was read
    note: str | None
    stats: Stats
    gates: Mapping[str, Gate]

    @classmethod
    def load(cls, path: Path, *, name: str | None = None) -> Self:
        """Read a thresholds file.

        Args:
            path: The TOML file.
            name: How it is called in reports; default: its file name.

        Raises:
            ConfigError: It is missing, no TOML, or a key or value is wrong; names the table, the key and what is valid.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a file with --thresholds") from None
        return cls.parse(data, name=name or path.name, place=str(path))

    @classmethod
    def parse(cls, data: bytes, *, name: str, place: str) -> Self:
        """The thresholds in the bytes of a file.

        Args:
            data: TOML.
            name: How it is called in reports.
            place: Begins the message when something is wrong.

        Raises:
            ConfigError: As for `load`.
        """
        try:
            document = tomllib.loads(data.decode())
            file = TypeAdapter(_File).validate_python(document)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{place}: not valid TOML: {error}") from None
        except ValidationError as error:
            raise ConfigError(f"{place}: {_sentence(error)}") from None
        _refuse_too_many(place, file.gate)
        sha256 = hashlib.sha256(data).hexdigest()
        return cls(name=name, sha256=sha256, text=data.decode(), note=file.note, stats=file.stats, gates=file.gate)

    @property
    def features(self) -> frozenset[str]:
        """Columns that some gate needs of each side of a pair."""
        return frozenset().union(*(gate.features for gate in self.gates.values()))

    def gates_for(self, operation: Operation) -> dict[str, Gate]:
        """The gates that judge `operation`, by name, in the file's order."""
        return {name: gate for name, gate in self.gates.items() if operation in gate.operations}


def _refuse_too_many(place: str, gates: Mapping[str, Gate]) -> None:
    for operation in Operation:
        blocking = [name for name, gate in gates.items() if gate.blocking and operation in gate.operations]
        if len(blocking) > MAX_BLOCKING_GATES:
            raise ConfigError(
                f"{place}: {len(blocking)} blocking gates judge {operation} ({', '.join(blocking)}); at most "
                f"{MAX_BLOCKING_GATES} may, or a fine candidate hardly passes: set blocking = false on some"
            )


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong: where, what, and what would be right."""
    problems: list[Any] = list(error.errors(include_url=False))
    # A misspelt key explains a missing one, so it is told first.
    problem = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    path = list(problem["loc"])
    model: type[BaseModel] = _File
    table = ""
    if path and path[0] == "stats":
        model, table, path = Stats, "[stats] ", path[1:]
    elif len(path) > 1 and path[0] == "gate":
        table, path = f"[gate.{path[1]}] ", path[2:]
        model = KINDS.get(str(path[0]), GateBase) if path else GateBase
        path = path[1:]
    if "any" in path[:-1]:
        table, model, path = f"{table}any, condition {path[1] + 1}: ", Condition, path[2:]
    return table + _complaint(problem, ".".join(str(part) for part in path), model)


def _complaint(problem: Mapping[str, Any], key: str, model: type[BaseModel]) -> str:
    """What is wrong with one key, without its table."""
    valid = ", ".join(sorted(field.alias or name for name, field in model.model_fields.items()))
    match problem["type"]:
        case "extra_forbidden":
            return f"{key} is not a key here; use one of {valid}"
        case "missing":
            return f"{key} is missing; the keys here are {valid}"
        case "union_tag_not_found":
            return f"kind is missing; use one of {', '.join(KINDS)}"
        case "union_tag_invalid":
            return f'kind is "{problem["ctx"]["tag"]}"; use one of {", ".join(KINDS)}'
        case "literal_error" | "enum":
            return f'{key} is "{problem["input"]}"; use {problem["ctx"]["expected"]}'
        case "value_error":
            return f"{key} {str(problem['msg']).removeprefix('Value error, ')}".strip()
    return f"{key} is {problem['input']!r}: {problem['msg']}"
