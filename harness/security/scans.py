"""Scans by the names that the catalogue knows them by: looks at a checkout, each giving a tuple of findings."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from harness.errors import UsageError
from harness.security import ci_rules, code_rules, inventory, licences, packages, sbom, secret_scan
from harness.security.finding import Finding
from harness.security.provenance import code_sha256

__all__ = ["BILL", "SCANS", "Scan"]

# Gets the checkout and the folder for evidence. What cannot be looked at raises HarnessError, and was not run.
Scan = Callable[[Path, Path], tuple[Finding, ...]]

BILL: Final = "sbom.cdx.json"


def _code(rule: str, root: Path, _: Path) -> tuple[Finding, ...]:
    """What one check objects to in our modules."""
    return tuple(finding for finding in _violations(root, code_sha256(root)) if finding.rule == rule)


@lru_cache(maxsize=1)
def _violations(root: Path, code: str) -> tuple[Finding, ...]:
    """All findings in the code of that hash: seven checks ask, and it is read once."""
    return code_rules.violations(root)


def _rules_of_bandit(root: Path, _: Path) -> tuple[Finding, ...]:
    """What ruff's security rules object to in our packages, beside what is excused in place with its reason.

    Raises:
        UsageError: ruff is not installed or did not run.
    """
    # The project's own exceptions, with their reasons, stand in pyproject.toml; --select alone would pass over them.
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    excused = [rule for rule in project["tool"]["ruff"]["lint"]["ignore"] if rule.startswith("S")]
    command = [sys.executable, "-m", "ruff", "check", "--select", "S", "--no-cache", "--output-format", "json"]
    command += [f"--ignore={','.join(excused)}"] if excused else []
    done = subprocess.run(  # noqa: S603 - our own words
        [*command, *code_rules.PACKAGES], cwd=root, capture_output=True, text=True, check=False
    )
    try:
        rows = json.loads(done.stdout)
    except ValueError:
        raise UsageError("ruff did not run; it is in the dev extra: make setup") from None
    return tuple(
        Finding(
            rule="S8-21",
            path=Path(row["filename"]).relative_to(root.resolve()).as_posix(),
            line=row["location"]["row"],
            message=f"{row['code']} {row['message']}",
        )
        for row in rows
    )


def _bill_of_materials(root: Path, folder: Path) -> tuple[Finding, ...]:
    """Where the bill that is written now differs from what is installed."""
    sbom.write_sbom(folder / BILL, root)
    return sbom.sbom_differences(folder / BILL)


SCANS: Final[Mapping[str, Scan]] = MappingProxyType(
    {
        "secrets in the tree": lambda root, _: secret_scan.leaked_secrets(root),
        "secrets in the history": lambda root, _: secret_scan.leaked_in_history(root),
        **{f"code {rule}": partial(_code, rule) for rule in code_rules.RULES},
        "rules of bandit": _rules_of_bandit,
        "installed packages and lock": lambda root, _: packages.lock_differences(root),
        "versions known to be bad": lambda root, _: packages.known_bad(root),
        "licences": lambda root, _: licences.licences(root),
        "bill of materials": _bill_of_materials,
        "inventory": lambda root, _: inventory.inventory_differences(root),
        "steps of CI": lambda root, _: ci_rules.unsafe_steps(root),
        "workflows by zizmor": lambda root, _: ci_rules.zizmor_findings(root),
        "live calls in CI": lambda root, _: ci_rules.live_calls(root),
    }
)
