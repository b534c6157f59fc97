"""The flag file's format: read strictly, so that a misspelling is found before it decides anything.

A file cut off anywhere is refused: every operation must be there and the last line must end. What happens to a refused
file on the live path is decided in flag_file.py.
"""

import hashlib
import tomllib
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import ConfigError
from harness.flags.flagset import ALL_BP, Flag, FlagSet, Mode
from harness.speech import Operation

__all__ = ["SALT", "parse_flags", "version_of"]

SALT: Final = r"[a-z0-9][a-z0-9._-]{0,63}"  # a label people can read out, part of every bucket's hash

_BasisPoints = Annotated[int, Field(ge=0, le=ALL_BP, strict=True)]
_NEEDED: Final = {Mode.SHADOW: "shadow_bp", Mode.CANARY: "share_bp"}


class _FlagTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mode: Mode
    share_bp: _BasisPoints = 0
    shadow_bp: _BasisPoints = 0
    spill_bp: _BasisPoints = 0

    @model_validator(mode="after")
    def _says_how_much(self) -> "_FlagTable":
        """A mode whose share was left out would do nothing and look as if it did."""
        needed = _NEEDED.get(self.mode)
        if needed and needed not in self.model_fields_set:
            raise ValueError(f"mode {self.mode} needs {needed}, in basis points from 0 to {ALL_BP}")
        return self


class _FlagFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # A number and no Literal: that would take `true` for 1.
    schema_version: Annotated[int, Field(alias="schema", strict=True, ge=1, le=1)]
    salt: Annotated[str, Field(pattern=rf"^{SALT}\z")]
    clone: _FlagTable
    design: _FlagTable
    generate: _FlagTable


def version_of(content: bytes) -> str:
    """A short hash of a file's bytes: the version of the flags in it."""
    return hashlib.sha256(content).hexdigest()[:12]


def parse_flags(content: bytes, *, name: str) -> FlagSet:
    """The flags in `content`.

    Args:
        content: Bytes of a flag file.
        name: What to call it in messages.

    Raises:
        ConfigError: It is empty, cut off, no TOML, or holds an unknown key or an unusable value; says which.
    """
    if not content.strip():
        raise ConfigError(f"{name}: is empty; restore it, or copy the tracked data/flags.toml")
    if not content.endswith(b"\n"):
        raise ConfigError(f"{name}: ends within a line, as a half-written file does; write it anew")
    try:
        table = _FlagFile.model_validate(tomllib.loads(content.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{name}: not valid TOML: nested too deeply") from None
    except ValidationError as error:
        raise ConfigError(f"{name}: {_first_problem(error)}") from None
    flags = {operation: _flag(getattr(table, operation)) for operation in Operation}
    return FlagSet(version=version_of(content), salt=table.salt, flags=MappingProxyType(flags))


def _flag(table: _FlagTable) -> Flag:
    return Flag(mode=table.mode, share_bp=table.share_bp, shadow_bp=table.shadow_bp, spill_bp=table.spill_bp)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in problem["loc"]]
    where = f"[{path[0]}] {'.'.join(path[1:])}".strip() if path[0] in set(Operation) else ".".join(path)
    if problem["type"] == "extra_forbidden":
        valid = _FlagTable.model_fields if len(path) > 1 else ["schema", "salt", *(f"[{each}]" for each in Operation)]
        return f"{where} is not known; valid are {', '.join(valid)}"
    if problem["type"] == "missing":
        return f"{where} is missing; set it"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
