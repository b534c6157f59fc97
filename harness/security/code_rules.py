"""What no linter knows of this code: every rule over every module, but for the places that are allowed by name.

The rules themselves stand with their subjects: network, data, queries, pages, errors. A comment silences none of them.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from harness.errors import UsageError
from harness.security.allowances import ALLOWANCES, Allowance
from harness.security.data_rules import run_data, weak_hashes
from harness.security.error_rules import told_errors
from harness.security.finding import Finding
from harness.security.network_rules import followed_redirects, unchecked_certificates, ways_out
from harness.security.page_rules import raw_markup, words_read_as_markup
from harness.security.query_rules import built_queries, other_doors
from harness.security.syntax import Breach

__all__ = ["PACKAGES", "RULES", "modules", "unneeded_allowances", "violations", "violations_in"]

_TIDY: Final = "take the allowance out of harness/security/allowances.py"
PACKAGES: Final = ("harness", "replay", "analysis", "dashboard")
Rule = Callable[[ast.Module], Iterator[Breach]]
RULES: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(
    {
        "S8-03": (told_errors,),
        "S8-05": (ways_out,),
        "S8-06": (followed_redirects,),
        "S8-07": (unchecked_certificates,),
        "S8-21": (run_data, weak_hashes),
        "S8-22": (other_doors, built_queries),
        "S8-24": (raw_markup, words_read_as_markup),
    }
)


def violations(root: Path) -> tuple[Finding, ...]:
    """Every place in our own packages below `root` that breaks a rule and is not allowed to.

    Raises:
        UsageError: A module cannot be read as Python, or there is none.
    """
    return tuple(found for name, tree in modules(root) for found in _violations(name, tree))


def violations_in(source: str, name: str) -> Iterator[Finding]:
    """The same for one module's text, under the name of its file.

    Raises:
        UsageError: It is no Python.
    """
    return _violations(name, _parsed(source, name))


def unneeded_allowances(root: Path) -> tuple[Finding, ...]:
    """Allowances for what is not written there any more.

    Raises:
        UsageError: A module cannot be read as Python, or there is none.
    """
    written = {(rule, name, breach.expression) for name, tree in modules(root) for rule, breach in _breaches(tree)}
    return tuple(
        Finding(path=allowed.path, line=0, rule=allowed.rule, message=f"{expression} is allowed and not there; {_TIDY}")
        for allowed in ALLOWANCES
        for expression in sorted(allowed.expressions)
        if (allowed.rule, allowed.path, expression) not in written
    )


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every module of our own packages below `root`, by its name from there.

    Raises:
        UsageError: A module cannot be read as Python, or there is none.
    """
    paths = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    if not paths:
        raise UsageError(f"{root}: none of the packages {', '.join(PACKAGES)} is here; run this in a checkout")
    for path in paths:
        name = path.relative_to(root).as_posix()
        yield name, _parsed(path.read_text(encoding="utf-8"), name)


def _parsed(source: str, name: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{name}: not Python ({error}); the rules about code need modules that compile") from None


def _violations(name: str, tree: ast.Module) -> Iterator[Finding]:
    for rule, breach in _breaches(tree):
        if not any(breach.expression in allowed.expressions for allowed in _allowed(rule, name)):
            yield Finding(path=name, line=breach.line, rule=rule, message=breach.message)


def _breaches(tree: ast.Module) -> Iterator[tuple[str, Breach]]:
    return ((rule, breach) for rule, checks in RULES.items() for check in checks for breach in check(tree))


def _allowed(rule: str, name: str) -> list[Allowance]:
    return [allowed for allowed in ALLOWANCES if (allowed.rule, allowed.path) == (rule, name)]
