"""The checks of the gate, read from data/security/checks.toml.

What a check needs run is data: a test that moves is a line changed there, and never a check that silently has nothing
left to run.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from harness.errors import ConfigError, UsageError
from harness.security.check import Check

__all__ = ["CATALOGUE", "Catalogue", "load_catalogue", "read_table"]

CATALOGUE: Final = Path("data/security/checks.toml")  # from the root of a checkout
_CHECKS: Final = TypeAdapter(Check)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All checks, in their order."""

    checks: tuple[Check, ...]
    medium_failures: int  # failures of medium severity that the gate lets pass

    def chosen(self, ids: tuple[str, ...]) -> tuple[Check, ...]:
        """The checks of these ids, all of them when none is named.

        Raises:
            UsageError: There is no check of an id.
        """
        known = {check.id for check in self.checks}
        for unknown in (each for each in ids if each not in known):
            raise UsageError(f"--only {unknown}: no such check; the first is {self.checks[0].id}, `--help` names more")
        return tuple(check for check in self.checks if not ids or check.id in ids)


def load_catalogue(root: Path) -> Catalogue:
    """The catalogue of the checkout at `root`.

    Raises:
        ConfigError: It is missing, no TOML, or a row cannot be used; names the file and the row.
    """
    path = root / CATALOGUE
    table = read_table(path)
    rows = table.get("check", [])
    checks = tuple(_check(row, f"{path}: check {number}") for number, row in enumerate(rows, start=1))
    ids = [check.id for check in checks]
    if not ids or len(set(ids)) < len(ids):
        raise ConfigError(f"{path}: needs at least one [[check]] and each id once")
    return Catalogue(checks=checks, medium_failures=int(table.get("medium_failures", 0)))


def read_table(path: Path) -> dict[str, Any]:
    """A TOML file of the gate, of the one schema there is. Raises ConfigError when it is anything else."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; the gate runs in a checkout, not in an installed copy") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    if table.pop("schema", None) != 1:
        raise ConfigError(f"{path}: needs schema = 1, which this version reads")
    return table


def _check(row: dict[str, Any], where: str) -> Check:
    try:
        check = _CHECKS.validate_python(row)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{where}: {key}: {problem['msg']}") from None
    unknown = sorted(set(row) - set(Check.__dataclass_fields__))
    if unknown:
        raise ConfigError(f"{where}: {unknown[0]} is not known; valid are {', '.join(Check.__dataclass_fields__)}")
    return check
