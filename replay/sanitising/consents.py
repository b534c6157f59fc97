"""The register of consents: what the owners of reference recordings allowed, for recordings that tell nothing of it.

A TOML file. A table is named by a voice's own name or by the SHA-256 of a recording:

["voice-anna"]
scope = ["replay", "clone:qwen"]
region = "ap-southeast-1"
expires_at = 2027-06-30T00:00:00Z
evidence = "contract 2031, page 4"
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from harness.errors import ConfigError

__all__ = ["ConsentRegister", "load_consents"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    scope: Annotated[tuple[str, ...], Field(min_length=1)]
    region: str | None = None
    expires_at: datetime | None = None
    evidence: Annotated[str, Field(min_length=1)]

    @field_validator("expires_at")
    @classmethod
    def _has_a_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("needs its time zone, such as 2027-06-30T00:00:00Z")
        return value


class ConsentRegister:
    """Consents by the name of a voice or the hash of a recording."""

    def __init__(self, entries: Mapping[str, Mapping[str, object]] | None = None) -> None:
        self._entries = entries or {}

    def find(self, *names: str | None) -> Mapping[str, object] | None:
        """The consent under the first of these names that has one, in the terms of the capture format."""
        return next((self._entries[name] for name in names if name is not None and name in self._entries), None)


def load_consents(path: Path) -> ConsentRegister:
    """The register in a TOML file.

    Raises:
        ConfigError: It cannot be read, or an entry is incomplete; says which.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path}: cannot be read as a register of consents; it is TOML in UTF-8") from None
    try:
        entries = TypeAdapter(dict[str, _Entry]).validate_python(tables)
    except ValidationError as error:
        problem: Any = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{path}: {where}: {problem['msg'].removeprefix('Value error, ')}") from None
    return ConsentRegister({name: _in_format(entry) for name, entry in entries.items()})


def _in_format(entry: _Entry) -> dict[str, object]:
    expires_at = entry.expires_at.isoformat() if entry.expires_at else None
    return {"scope": list(entry.scope), "region": entry.region, "expires_at": expires_at, "evidence": entry.evidence}
