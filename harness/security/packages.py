"""What is installed, beside what the lock says and what is known to be bad (S8-30).

No advisory service is asked: where it cannot be reached, the tools that ask it report nothing and call that good (M14).
The versions below which something is known are kept here, each with its advisory and the day somebody looked.
"""

from collections.abc import Mapping
from datetime import date
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.security.finding import Finding
from harness.security.lock import LOCK, read_lock
from harness.security.rule_file import read_rule_file

__all__ = ["FLOORS", "Floor", "installed_packages", "known_bad", "lock_differences", "read_floors"]

FLOORS: Final = Path("data", "security", "floors.toml")  # below the root
_RULE: Final = "S8-30"
_OURS: Final = "voice-cutover"
_SEEDS: Final = frozenset({"pip", "setuptools", "wheel"})  # what `python -m venv` puts there itself
_INSTALL: Final = "install what the lock says: make setup"


class Floor(BaseModel):
    """A version below which something bad is known of a package."""

    model_config = ConfigDict(extra="forbid")

    package: str
    below: str  # this version and newer ones are good
    advisory: str = Field(min_length=5)  # by its number
    source: str = Field(min_length=5)
    looked_at: date

    @field_validator("below")
    @classmethod
    def _is_version(cls, value: str) -> str:
        Version(value)
        return value


class _FloorFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    floor: list[Floor]


def installed_packages() -> Mapping[str, str]:
    """Version by name of everything installed beside this Python, our own project aside."""
    found = {str(canonicalize_name(each.metadata["Name"])): each.version for each in distributions()}
    return {name: version for name, version in found.items() if name != _OURS}


def lock_differences(root: Path, installed: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """Everything in which what is installed is not what the lock names, and every pin without a hash.

    Args:
        root: The checkout whose lock counts.
        installed: Version by name; default: what is installed beside this Python.

    Raises:
        ConfigError: The lock is missing or damaged.
    """
    installed = installed_packages() if installed is None else installed
    pins = read_lock(root)
    wanted = {pin.name: pin for pin in pins if pin.applies}
    found = [
        (pin.line, f"{pin.name} {pin.version} has no hash; `make lock` writes them") for pin in pins if not pin.hashes
    ]
    for name, pin in wanted.items():
        here = installed.get(name)
        if here != pin.version:
            found.append((pin.line, f"{name} is {here or 'not installed'}, the lock says {pin.version}; {_INSTALL}"))
    found += [
        (0, f"{name} {installed[name]} is installed and not in the lock; take it out, or: make lock")
        for name in sorted(set(installed) - set(wanted) - _SEEDS)
    ]
    return tuple(Finding(path=LOCK, line=line, rule=_RULE, message=message) for line, message in found)


def read_floors(root: Path) -> list[Floor]:
    """The floors below `root`.

    Raises:
        ConfigError: The file is missing or holds something else.
    """
    return read_rule_file(
        root / FLOORS, _FloorFile, remedy="floors have package, below, advisory, source, looked_at"
    ).floor


def known_bad(root: Path, installed: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """Every package, installed or pinned for any platform, in a version that something bad is known of.

    Args:
        root: The checkout whose lock and floors count.
        installed: Version by name; default: what is installed beside this Python.

    Raises:
        ConfigError: The lock or the floors are missing or damaged.
    """
    installed = installed_packages() if installed is None else installed
    present = [(name, version, 0) for name, version in installed.items() if name not in _SEEDS]
    present += [(pin.name, pin.version, pin.line) for pin in read_lock(root)]
    return tuple(
        Finding(
            path=LOCK,
            line=line,
            rule=_RULE,
            message=f"{name} {version} is older than {floor.below} ({floor.advisory}); raise it and run: make lock",
        )
        for floor in read_floors(root)
        for name, version, line in present
        if name == canonicalize_name(floor.package) and Version(version) < Version(floor.below)
    )
