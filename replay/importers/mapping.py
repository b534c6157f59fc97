"""The mapping file: which field of an application's own records is which field of a capture.

zone = "Europe/Berlin"                       # of times that name none
[where]                                      # other records are skipped
event = ["tts.request", "tts.retry"]
[fields]                                     # field of a capture = path in the record, or a rule
captured_at = { path = "ts", unit = "ms" }   # a number since 1970; without unit it is ISO 8601
operation = { path = "kind", map = { speak = "generate" }, default = "generate" }
text = "payload.text"                        # steps into JSON that stands in a string, too
language = "payload.lang"
voice.id = "payload.voices[0]"
observed.total_s = { path = "latency_ms", scale = 0.001 }
observed.provider = { value = "modal" }

[[endpoint]]                                 # the same for the JSON bodies of an HTTP path of your own
path = "/v1/tts"
fields = { text = "text", voice.id = "voice" }
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from harness.errors import ConfigError

__all__ = ["FIELDS", "Endpoint", "FieldMapping", "Rule", "Step", "load_mapping", "steps"]

FIELDS: Final = (
    "id",
    "captured_at",
    "operation",
    "text",
    "language",
    "voice.kind",
    "voice.id",
    "voice.description",
    "voice.reference.audio",  # in base64 or a data URL
    "voice.reference.sha256",
    "voice.reference.transcript",
    "instructions",
    "response_format",
    "sample_rate_hz",
    "stream",
    "user_key",
    "session",
    "segment",
    "consent.scope",
    "consent.region",
    "consent.expires_at",
    "consent.evidence",
    "observed.provider",
    "observed.status",
    "observed.first_byte_s",
    "observed.total_s",
    "observed.audio_s",
)
Step = str | int
_STEP: Final = re.compile(r'(?:^|\.)(?:([^.\[\]"]+)|"([^"]+)")|\[([0-9]{1,6})\]')


def steps(path: str) -> tuple[Step, ...]:
    """The keys and indices of a path such as `a."b.c"[0]`.

    Raises:
        ValueError: It is none.
    """
    found: list[Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if not match:
            break
        found.append(int(match[3]) if match[3] else match[1] or match[2])
        position = match.end()
    if not found or position < len(path):
        raise ValueError(f'"{path}" is no path; write it like payload.items[0].text')
    return tuple(found)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Table):
    """How the value of one field is found."""

    path: str | None = None
    value: str | int | float | bool | None = None  # the same for every record
    map: dict[str, str] | None = None  # the record's word → ours; other words are unusable unless there is a default
    default: str | int | float | bool | None = None  # where the path leads nowhere
    scale: float | None = None  # to be multiplied by
    unit: Literal["s", "ms", "us", "ns"] | None = None  # of a time since 1970

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "Rule":
        if (self.path is None) == (self.value is None):
            raise ValueError('needs either "path" or "value"')
        if self.path is not None:
            steps(self.path)
        return self


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError('is no time zone; write it like "Europe/Berlin" or "UTC"') from None
    return name


class _Mapped(_Table):
    where: dict[str, Any] = {}
    fields: dict[str, Rule]

    @field_validator("fields", mode="before")
    @classmethod
    def _flatten(cls, value: object) -> object:
        return dict(_leaves(value, "")) if isinstance(value, dict) else value

    @field_validator("where")
    @classmethod
    def _check_paths(cls, value: dict[str, Any]) -> dict[str, Any]:
        for path in value:
            steps(path)
        return value


class Endpoint(_Mapped):
    """An HTTP path whose JSON bodies are speech requests."""

    path: str
    method: str = "POST"
    provider: str = "modal"


class _File(_Table):
    zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    where: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    endpoint: tuple[Endpoint, ...] = ()


class FieldMapping(NamedTuple):
    """A mapping file that was checked."""

    zone: ZoneInfo | None
    where: Mapping[str, Any]  # path → value, or list of values
    fields: Mapping[str, Rule]  # name in FIELDS → rule; empty when the file only maps endpoints
    endpoints: tuple[Endpoint, ...]


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    """`voice.id = …` is a table in a table to TOML; a field of a capture to us."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if name in FIELDS:
            yield name, {"path": value} if isinstance(value, str) else value
        elif isinstance(value, dict) and any(field.startswith(f"{name}.") for field in FIELDS):
            yield from _leaves(value, f"{name}.")
        else:
            raise ValueError(f'"{name}" is no field of a capture; valid ones are {", ".join(FIELDS)}')


def load_mapping(path: Path) -> FieldMapping:
    """The mapping in a TOML file.

    Raises:
        ConfigError: It cannot be read, or a name or rule in it is wrong; says which.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path}: cannot be read as a mapping file; it is TOML in UTF-8") from None
    try:
        file = _File.model_validate(tomllib.loads(text))
        mapped = _Mapped(where=file.where, fields=file.fields)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except ValidationError as error:
        problem: Any = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{path}: {where}: {problem['msg'].removeprefix('Value error, ')}") from None
    if not mapped.fields and not file.endpoint:
        raise ConfigError(f"{path}: maps nothing; it needs [fields] or [[endpoint]]")
    return FieldMapping(ZoneInfo(file.zone) if file.zone else None, mapped.where, mapped.fields, file.endpoint)
