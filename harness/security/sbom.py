"""The bill of materials: everything installed here in CycloneDX, by the tool of that project (S8-31)."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from harness.errors import HarnessError, UsageError
from harness.security.finding import Finding
from harness.security.packages import installed_packages

__all__ = ["sbom_differences", "write_sbom"]

_RULE: Final = "S8-31"
_TOOL: Final = "cyclonedx_py"
_PATIENCE_S: Final = 120.0


def write_sbom(path: Path, root: Path) -> None:
    """Write what is installed beside this Python, with versions and licences, as CycloneDX JSON.

    The same installation gives the same bytes: neither time nor a random number is in it.

    Args:
        path: Where to.
        root: The checkout whose pyproject.toml says what the whole is.

    Raises:
        UsageError: The tool is not installed.
        HarnessError: The tool failed; its own last words say why.
    """
    if importlib.util.find_spec(_TOOL) is None:
        raise UsageError("cyclonedx-bom is not installed, so no bill of materials can be written; run: make setup")
    # Not validated: that costs 16 s of a core, and says only that the tool keeps to its own project's schema.
    options = ["--output-format", "JSON", "--output-reproducible", "--no-validate"]
    options += ["--pyproject", str(root / "pyproject.toml")]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(  # noqa: S603 - our own words and no shell
            [sys.executable, "-m", _TOOL, "environment", *options, "--output-file", str(path), sys.executable],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HarnessError(f"{path}: cyclonedx-bom took longer than {_PATIENCE_S:g} s; try again") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise HarnessError(f"{path}: cyclonedx-bom could not write it ({said[-1]})")


def sbom_differences(path: Path, installed: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """Everything installed that a bill of materials does not name in that version, and the other way round.

    Args:
        path: The bill.
        installed: Version by name; default: what is installed beside this Python.

    Raises:
        UsageError: The file is no CycloneDX JSON.
    """
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        listed = {str(canonicalize_name(each["name"])): str(each.get("version")) for each in document["components"]}
    except (OSError, ValueError, TypeError, KeyError):
        raise UsageError(f"{path}: no bill of materials in CycloneDX JSON; `cutover gate run` writes one") from None
    here = dict(installed_packages() if installed is None else installed)
    return tuple(
        Finding(
            path=path.name, line=0, rule=_RULE, message=f"{name} is {here.get(name)}, the bill says {listed.get(name)}"
        )
        for name in sorted(set(here) | set(listed))
        if here.get(name) != listed.get(name)
    )
