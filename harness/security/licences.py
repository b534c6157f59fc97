"""Under which licences the packages stand that are installed, and whether we may use them so (S8-31).

A licence is what a package says of itself by PEP 639; the older ways of saying it are translated by a table, and what
no table knows is looked up once by a person and written down in data/security/licences.toml.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field

from harness.security.finding import Finding
from harness.security.rule_file import read_rule_file

__all__ = ["LICENCES", "LicenceRules", "core_closure", "licence_of", "licences", "read_licence_rules"]

LICENCES: Final = Path("data", "security", "licences.toml")  # below the root
_RULE: Final = "S8-31"
_OURS: Final = "voice-cutover"


class _LookedUp(BaseModel):
    model_config = ConfigDict(extra="forbid")

    licence: str  # SPDX
    source: str = Field(min_length=5)  # where a person read it


class _OnlyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    licence: str  # SPDX
    extra: str  # the extra of our project that brings it; the core must not
    reason: str = Field(min_length=10)


class LicenceRules(BaseModel):
    """What is allowed, how older spellings read, and what stands alone."""

    model_config = ConfigDict(extra="forbid")

    allowed: frozenset[str]  # SPDX ids
    spellings: Mapping[str, str]  # as classifiers and the field License have it → SPDX
    looked_up: Mapping[str, _LookedUp]
    only_in: Mapping[str, _OnlyIn]


def read_licence_rules(root: Path) -> LicenceRules:
    """The rules below `root`.

    Raises:
        ConfigError: The file is missing or holds something else.
    """
    return read_rule_file(root / LICENCES, LicenceRules, remedy="see the comments in that file")


def licences(root: Path, installed: Iterable[Distribution] | None = None) -> tuple[Finding, ...]:
    """Every installed package whose licence is not allowed, not known, or allowed only where it is not.

    Args:
        root: The checkout whose rules count.
        installed: What to look at; default: everything beside this Python.

    Raises:
        ConfigError: The rules are missing or damaged.
    """
    rules = read_licence_rules(root)
    packages = {
        str(canonicalize_name(each.metadata["Name"])): each
        for each in (distributions() if installed is None else installed)
    }
    core = core_closure(packages)
    return tuple(
        Finding(path=LICENCES.as_posix(), line=0, rule=_RULE, message=problem)
        for name, package in sorted(packages.items())
        if name != _OURS
        for problem in _problems(name, package, rules, name in core)
    )


def _problems(name: str, package: Distribution, rules: LicenceRules, is_core: bool) -> Iterator[str]:
    what = f"{name} {package.version}"
    if name in rules.only_in:
        if is_core:
            yield f"{what} is for the extra {rules.only_in[name].extra!r} alone, and the core needs it; replace it"
        return
    licence = licence_of(package, rules)
    if licence is None:
        yield f"{what} does not say its licence in a way we know; read it and add it to `looked_up` or `spellings`"
    elif not _is_allowed(licence, rules.allowed):
        yield f"{what} stands under {licence}, which is not allowed; replace it, or keep it in an extra by `only_in`"


def licence_of(package: Distribution, rules: LicenceRules) -> str | None:
    """The licence as an SPDX expression; None when the package does not say it in a way that the rules know."""
    name = canonicalize_name(package.metadata["Name"])
    if name in rules.looked_up:
        return rules.looked_up[name].licence
    if expression := package.metadata.get_all("License-Expression"):
        return str(expression[0])
    told = [each for each in package.metadata.get_all("Classifier") or [] if each.startswith("License ::")]
    words = [each.rpartition(" :: ")[2] for each in told]
    known = [rules.spellings[each] for each in words if each in rules.spellings]
    if known and len(known) == len(words):
        return " AND ".join(known)  # of two the stricter reading: both must be allowed
    field = package.metadata.get_all("License") or [""]
    return rules.spellings.get(str(field[0]).strip().partition("\n")[0])


def _is_allowed(expression: str, allowed: frozenset[str]) -> bool:
    """Whether one alternative of an SPDX expression is allowed in all its parts; one with brackets never is."""
    return any(
        all(part.strip() in allowed for part in re.split(r" AND ", alternative))
        for alternative in re.split(r" OR ", expression)
    )


def core_closure(packages: Mapping[str, Distribution]) -> frozenset[str]:
    """What our project needs without any extra, and what that needs, as far as it is installed."""
    found: set[str] = set()
    waiting = list(_needs(packages[_OURS], frozenset())) if _OURS in packages else []
    while waiting:
        name, extras = waiting.pop()
        if name not in found and name in packages:
            found.add(name)
            waiting += _needs(packages[name], extras)
    return frozenset(found)


def _needs(package: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for text in package.requires or ():
        wanted = Requirement(text)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(wanted.name), frozenset(wanted.extras)
