"""Tests of the suite as parts of checks: run together in one pytest, and read back from its JUnit XML.

A test that was skipped, not collected or not there at all is one that was not run, and no check passes by it.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.errors import UsageError
from harness.security.outcome import Evidence, GateBroken, Part, Status
from harness.security.provenance import file_sha256

__all__ = ["JUNIT", "run_tests"]

JUNIT: Final = "junit.xml"
_LIST: Final = "tests.json"
_DEV: Final = ("pytest", "xdist", "junitparser")
_LONGEST: Final = 300  # characters of a failure that a report repeats
_BROKEN: Final = frozenset({3, 4})  # pytest's own words for an internal error and for wrong use


class _Case(NamedTuple):
    status: Status
    reason: str
    duration_s: float


def run_tests(root: Path, nodes: Iterable[str], *, folder: Path, workers: str) -> dict[str, Part]:
    """Each node and what came of it.

    Args:
        root: The checkout whose tests they are.
        nodes: `tests/….py::function`, all parameters of each.
        folder: Where the JUnit XML goes.
        workers: As pytest-xdist takes them: a number, or `auto`.

    Raises:
        UsageError: The dev extra is not installed.
        GateBroken: pytest itself failed.
    """
    wanted = sorted(set(nodes))
    files = sorted({node.partition("::")[0] for node in wanted if (root / node.partition("::")[0]).is_file()})
    if not files:
        return {node: _missing(node) for node in wanted}
    _require_dev_extra()
    (folder / _LIST).write_text(json.dumps(wanted), encoding="utf-8")
    junit = folder / JUNIT
    junit.unlink(missing_ok=True)
    done = _pytest(root, files, folder, workers)
    if done.returncode in _BROKEN or not junit.is_file():
        raise GateBroken(f"pytest itself failed (status {done.returncode}): {_last_line(done.stdout + done.stderr)}")
    cases = _cases(junit)
    proof = Evidence(path=JUNIT, sha256=file_sha256(junit))
    return {node: _part(node, cases.get(node, ()), root, proof) for node in wanted}


def _require_dev_extra() -> None:
    missing = [name for name in _DEV if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{missing[0]} is not installed; the gate runs in a checkout with the dev extra: make setup")


def _pytest(root: Path, files: Sequence[str], folder: Path, workers: str) -> "subprocess.CompletedProcess[str]":
    options = ["-p", "harness.security.selection", f"--gate-tests={folder / _LIST}", f"--junitxml={folder / JUNIT}"]
    # One line for each failure: the values that an assertion compares stay out of the evidence.
    quiet = ["-q", "--tb=line", "--show-capture=no", "-o", "junit_family=xunit2", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *quiet, "--continue-on-collection-errors", "-n", workers]
    return subprocess.run(  # noqa: S603 - our own words and no shell
        [*command, *files], cwd=root, env=_environment(root), capture_output=True, text=True, check=False
    )


def _environment(root: Path) -> dict[str, str]:
    """Ours without any setting: no test of the gate ever holds a real key."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"CUTOVER_|DASHSCOPE_|PYTEST_", name)}
    return {**kept, "PYTHONPATH": str(root)}


def _cases(junit: Path) -> Mapping[str, Sequence[_Case]]:
    """Every case of the report under the node it belongs to."""
    from junitparser import JUnitXml, JUnitXmlError  # of the dev extra, which only who runs the gate needs

    try:
        suites = list(JUnitXml.fromfile(str(junit)))
    except (JUnitXmlError, SyntaxError) as error:
        raise GateBroken(f"{junit}: pytest wrote no JUnit XML: {error}") from None
    found: dict[str, list[_Case]] = {}
    for case in (case for suite in suites for case in suite):
        found.setdefault(_node(case.classname or "", case.name or ""), []).append(_case(case))
    return found


def _node(classname: str, name: str) -> str:
    """`tests.a.test_b` and `test_c[x]` as the node `tests/a/test_b.py::test_c`; classes of tests are named by case."""
    parts = classname.split(".")
    inner = [part for part in parts if part[:1].isupper()]
    module = "/".join(part for part in parts if part not in inner)
    return "::".join([f"{module}.py", *inner, name.partition("[")[0]])


def _case(case: Any) -> _Case:
    seconds = float(case.time or 0.0)
    for result in case.result:
        status = Status.NOT_RUN if type(result).__name__ == "Skipped" else Status.FAIL
        said = " ".join((result.message or result.text or "").split())
        return _Case(status, f"{case.name}: {said[:_LONGEST]}", seconds)
    return _Case(Status.PASS, "", seconds)


def _part(node: str, cases: Sequence[_Case], root: Path, junit: Evidence) -> Part:
    """A node by its cases; without one it was not run."""
    if not cases:
        return _missing(node)
    file = node.partition("::")[0]
    worst = next(status for status in (Status.FAIL, Status.NOT_RUN, Status.PASS) if status in {c.status for c in cases})
    told = [case.reason for case in cases if case.status is worst]
    count = f" ({len(told)} of {len(cases)})" if len(cases) > 1 else ""
    return Part(
        status=worst,
        how=node,
        reason="" if worst is Status.PASS else f"{file}{count}: {told[0]}",
        duration_s=sum(case.duration_s for case in cases),
        evidence=(Evidence(path=file, sha256=file_sha256(root / file)), junit),
    )


def _missing(node: str) -> Part:
    return Part(status=Status.NOT_RUN, how=node, reason=f"{node} was not collected: it is gone, renamed or broken")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:_LONGEST] if lines else "it said nothing; see: python -m pytest --collect-only"
